import { type Metrics, measureCall } from '@trove/common';
import type { ConductorHandlers } from '@trove/crypto-rpc';

/** The handlers, with heartbeats counted as taken where they were stored, else as dropped, and events by method. */
export function measuredHandlers(handlers: ConductorHandlers, metrics: Metrics): ConductorHandlers {
  const countHeartbeats = (outcome: 'taken' | 'dropped', by: number): void =>
    metrics.count('trove_heartbeats_total', 'Heartbeats of guests, stored or dropped.', { outcome }, by);
  return {
    ...handlers,
    heartbeats: async (batch) => {
      try {
        await handlers.heartbeats(batch);
        countHeartbeats('taken', batch.length);
      } catch (error) {
        countHeartbeats('dropped', batch.length);
        throw error;
      }
    },
    event: (report) => measureCall(metrics, { to: 'conductor', method: report.method }, () => handlers.event(report)),
  };
}
