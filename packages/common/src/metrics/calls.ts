import { isTroveError } from '../errors.ts';
import type { Metrics } from './metrics.ts';

/** Runs one call to a peer and counts it by method and outcome (`ok` or the error's code), with how long it took. */
export async function measureCall<T>(
  metrics: Metrics,
  call: { readonly to: string; readonly method: string },
  work: () => Promise<T>,
): Promise<T> {
  const started = performance.now();
  let outcome = 'ok';
  try {
    return await work();
  } catch (error) {
    outcome = isTroveError(error) ? error.code : 'INTERNAL';
    throw error;
  } finally {
    metrics.count('trove_rpc_calls_total', 'Calls to a peer that ended, by outcome.', { ...call, outcome });
    const seconds = (performance.now() - started) / 1000;
    metrics.observe('trove_rpc_call_seconds', 'How long calls to a peer took.', call, seconds);
  }
}

/** Shows whether each of these buses is connected: 1 or 0. */
export function showBuses(metrics: Metrics, buses: Readonly<Record<string, { readonly state: string }>>): void {
  metrics.gauge('trove_bus_connected', 'Whether the service is connected to the broker.', ['bus'], async () =>
    Object.entries(buses).map(([bus, { state }]) => ({ labels: { bus }, value: state === 'connected' ? 1 : 0 })),
  );
}
