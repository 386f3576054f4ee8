import type { Finding } from './findings.ts';

/** How often guests did what was asked of them under one idempotency key. */
export interface GuestEffects {
  readonly instanceId: string;
  readonly method: string;
  readonly idempotencyKey: string;
  readonly times: number;
}

/** I8: the same request, done more than once. */
export function repeatedEffects(effects: readonly GuestEffects[]): readonly Finding[] {
  return effects
    .filter(({ times }) => times > 1)
    .map(({ instanceId, method, idempotencyKey, times }) => ({
      key: `effect:${instanceId}:${idempotencyKey}`,
      instanceId,
      what: `${method} took effect ${times} times under idempotency key ${idempotencyKey}`,
      since: null,
      todo: "Read the guest's log around both; this is a mistake in Trove.",
    }));
}
