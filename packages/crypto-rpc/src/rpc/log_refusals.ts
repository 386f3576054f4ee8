import type { Logger } from '@trove/common';
import type { OnRefused, RefusalReason } from './refusal.ts';

const LOGGED_OF_EACH = 10;

/** Counts refused messages by reason and logs the first of each: a flood of them must not become a flood of lines. */
export function logRefusals(logger: Logger): OnRefused {
  const counts = new Map<RefusalReason, number>();
  return (reason, facts) => {
    const count = (counts.get(reason) ?? 0) + 1;
    counts.set(reason, count);
    if (count <= LOGGED_OF_EACH || Number.isInteger(Math.log10(count)))
      logger.warn('message refused', { reason, count, ...facts });
  };
}
