import { setTimeout as delay } from 'node:timers/promises';
import { type Firehose, openFirehose, type Tap } from '../../looks/firehose.ts';
import type { TappedMessage } from '../../outside.ts';

/** The broker as it is reached now: a container that was started again may have another address. */
export interface BrokerPlace {
  /** Without a vhost. */
  readonly amqpUrl: string;
  readonly managementUrl: string;
}

const AGAIN_MS = 500;

/** A tap on several vhosts that is put on anew when the broker comes back; what passes meanwhile it does not see. */
export async function openLastingTap(find: () => Promise<BrokerPlace>, vhosts: readonly string[]): Promise<Tap> {
  const seen: TappedMessage[] = [];
  const closing = new AbortController();
  const open = new Map<string, Firehose>();
  const tap = async (vhost: string): Promise<void> => {
    const { amqpUrl, managementUrl } = await find();
    open.set(vhost, await openFirehose(`${amqpUrl}/${encodeURIComponent(vhost)}`, managementUrl, vhost, seen));
  };
  const keep = async (vhost: string): Promise<void> => {
    for (;;) {
      await open.get(vhost)?.ended;
      if (closing.signal.aborted) return;
      await delay(AGAIN_MS);
      // The broker may still be on its way.
      await tap(vhost).catch(() => open.delete(vhost));
    }
  };
  await Promise.all(vhosts.map(tap));
  const kept = vhosts.map(keep);
  return {
    messages: () => seen,
    async close() {
      closing.abort();
      await Promise.all([...open.values()].map((firehose) => firehose.close().catch(() => undefined)));
      await Promise.all(kept);
    },
  };
}
