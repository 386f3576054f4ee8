import { TroveError } from '@trove/common';
import type { Management } from './management.ts';

interface Vhost {
  readonly tracing?: boolean;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly default_queue_type?: string;
}

/** The broker's copies of each message of a vhost, as it hands them to whoever is bound to `amq.rabbitmq.trace`. */
export interface VhostTracing {
  isOn(): Promise<boolean>;
  turn(on: boolean): Promise<void>;
}

/** Rejects as `Management` does, and with `CONFIG_INVALID` where there is no such vhost. */
export function vhostTracing(api: Management, vhost: string): VhostTracing {
  const path = `vhosts/${encodeURIComponent(vhost)}`;
  const read = async (): Promise<Vhost> => {
    const found = await api.get<Vhost>(path);
    if (found !== undefined) return found;
    throw new TroveError('CONFIG_INVALID', `The broker has no vhost "${vhost}".`);
  };
  return {
    isOn: async () => (await read()).tracing === true,
    async turn(on) {
      const { description, tags, default_queue_type } = await read();
      // What is left out of a PUT would be emptied.
      await api.put(path, {
        tracing: on,
        ...(description !== undefined && { description }),
        ...(tags !== undefined && { tags: tags.join(',') }),
        ...(default_queue_type !== undefined && default_queue_type !== 'undefined' && { default_queue_type }),
      });
    },
  };
}
