import type { Outside } from '../outside.ts';

export const LEGACY_NAMES = ['m2', 'm3', 'm4'] as const;

const POLL_MS = 400;
const LIMIT_MS = 60_000;

/** Looks again until it is done or a minute is over; the last value seen. */
export async function until<T>(outside: Outside, look: () => Promise<{ done: boolean; value: T }>): Promise<T> {
  for (let waitedMs = 0; ; waitedMs += POLL_MS) {
    const { done, value } = await look();
    if (done || waitedMs >= LIMIT_MS) return value;
    await outside.sleep(POLL_MS);
  }
}

const KEY_LINE = /^instance_rpc_encr_key\s*=\s*(\S+)\s*$/m;

/** The key in a `guest_info.conf`, if there is one. */
export function keyIn(guestInfo: string): string | undefined {
  return KEY_LINE.exec(guestInfo)?.[1];
}

/** `a row of instances` as the operator asks for it. */
export function keyQuery(instanceId: string): string {
  return `select encrypted_key, rpc_policy from instances where id = '${instanceId}'`;
}
