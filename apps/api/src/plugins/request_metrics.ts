import type { Metrics } from '@trove/common';
import type { ApiApp } from '../api_app.ts';

/** Counts answers by route (its pattern, never the path), method and status, with how long they took. */
export function addRequestMetrics(app: ApiApp, metrics: Metrics): void {
  app.addHook('onResponse', async (request, reply) => {
    const labels = { method: request.method, route: request.routeOptions.url ?? 'none' };
    const status = String(reply.statusCode);
    metrics.count('trove_http_requests_total', 'Requests that were answered, by status.', { ...labels, status });
    metrics.observe('trove_http_request_seconds', 'How long requests took.', labels, reply.elapsedTime / 1000);
  });
}
