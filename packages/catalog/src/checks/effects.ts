import type { Finding } from './findings.ts';

/** How often guests did what was asked of them under one idempotency key. */
export interface GuestEffects {
  readonly instanceId: string;
  readonly method: string;
  readonly idempotencyKey: string;
  readonly times: number;
  /** What happened so often; default: it took effect. */
  readonly happened?: string;
}

/** I8: the same request, done more than once. */
export function repeatedEffects(effects: readonly GuestEffects[]): readonly Finding[] {
  return effects
    .filter(({ times }) => times > 1)
    .map(({ instanceId, method, idempotencyKey, times, happened = 'took effect' }) => ({
      key: `effect:${instanceId}:${idempotencyKey}`,
      instanceId,
      what: `${method} ${happened} ${times} times under idempotency key ${idempotencyKey}`,
      since: null,
      todo: "Read the guest's log around both; this is a mistake in Trove.",
    }));
}
