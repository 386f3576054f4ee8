import type { Logger, Metrics } from '@trove/common';
import type { OnRefused, RefusalReason } from './refusal.ts';

const WINDOW_MS = 60_000;
const LINES_OF_A_REASON = 10;

interface Window {
  lines: number;
  notShown: number;
  total: number;
}

/**
 * Counts each refusal by reason and writes an audit line for it: who the message claims to be from, why, where, how long;
 * never what is in it. A flood must not become one of lines: of one reason 10 a minute are shown, and what is not shown is
 * told as a number at the minute's end.
 */
export function createRefusalAudit(logger: Logger, metrics: Metrics): OnRefused {
  const windows = new Map<RefusalReason, Window>();
  const endOf = (reason: RefusalReason, window: Window): void => {
    if (window.notShown > 0)
      logger.warn('messages refused, not shown', {
        audit: 'refusal',
        reason,
        count: window.notShown,
        total: window.total,
      });
    window.lines = 0;
    window.notShown = 0;
  };
  return (reason, { queue, bytes, claimed_sender }) => {
    metrics.count('trove_refused_messages_total', 'Messages that were refused, by reason.', { reason });
    const window = windows.get(reason) ?? { lines: 0, notShown: 0, total: 0 };
    windows.set(reason, window);
    window.total += 1;
    if (window.lines === 0) setTimeout(() => endOf(reason, window), WINDOW_MS).unref();
    if (window.lines === LINES_OF_A_REASON) {
      window.notShown += 1;
      return;
    }
    window.lines += 1;
    logger.warn('message refused', { audit: 'refusal', reason, claimed_sender, queue, bytes, total: window.total });
  };
}
