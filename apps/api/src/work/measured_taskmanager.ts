import { type Metrics, measureCall } from '@trove/common';
import type { TaskmanagerClient } from '@trove/crypto-rpc';

/** The client, with each call counted by method and outcome. */
export function measuredTaskmanager(
  client: Pick<TaskmanagerClient, 'call' | 'cast'>,
  metrics: Metrics,
): Pick<TaskmanagerClient, 'call' | 'cast'> {
  const labels = (method: string) => ({ to: 'taskmanager', method });
  return {
    call: (method, args, options) => measureCall(metrics, labels(method), () => client.call(method, args, options)),
    cast: (method, args, options) => measureCall(metrics, labels(method), () => client.cast(method, args, options)),
  };
}
