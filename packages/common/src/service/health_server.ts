import { once } from 'node:events';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { isSystemError, TroveError } from '../errors.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { TlsServerOptions } from '../tls/tls_server.ts';

/** A part of a service that does not work now. `reason` may be read by anyone who reaches the health port. */
export interface BrokenPart {
  part: string;
  reason: string;
}

/** Says what is broken; nothing where all is well. A check that throws counts as a broken part of its own. */
export type HealthCheck = () => readonly BrokenPart[] | Promise<readonly BrokenPart[]>;

export interface HealthServer {
  /** The port that it listens on; the system's choice where 0 was asked for. */
  port: number;
  close(): Promise<void>;
}

/** What `/healthcheck` answers: 200 with `OK`, or 503 with a JSON line per broken part. */
export async function healthAnswer(check: HealthCheck): Promise<{ status: 200 | 503; body: string }> {
  const broken = await brokenParts(check);
  if (broken.length === 0) return { status: 200, body: 'OK' };
  return { status: 503, body: broken.map(({ part, reason }) => `${JSON.stringify({ part, reason })}\n`).join('') };
}

async function brokenParts(check: HealthCheck): Promise<readonly BrokenPart[]> {
  try {
    return await check();
  } catch {
    return [{ part: 'healthcheck', reason: 'the check itself failed' }];
  }
}

export interface HealthServerAddress {
  readonly host: string;
  readonly port: number;
  /** Absent: in clear. */
  readonly tls?: TlsServerOptions | undefined;
}

/** Serves `GET /healthcheck` and `GET /metrics`. Throws `TroveError` `CONFIG_INVALID` where the address cannot be listened on. */
export async function startHealthServer(
  address: HealthServerAddress,
  check: HealthCheck,
  metrics: Metrics,
): Promise<HealthServer> {
  const onRequest: RequestListener = (request, response) => {
    const page = PAGES.get(request.url ?? '');
    if (page === undefined) return answer(response, { status: 404, body: 'Not Found' });
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return answer(response, { status: 405, body: 'Method Not Allowed' });
    void page(check, metrics).then((content) => answer(response, content));
  };
  const server = address.tls === undefined ? createServer(onRequest) : createTlsServer(address.tls, onRequest);
  server.listen(address.port, address.host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const reason = isSystemError(error) ? error.code : 'error';
    throw new TroveError(
      'CONFIG_INVALID',
      `health_host, health_port: cannot listen on ${address.host}:${address.port} (${reason})`,
      { cause: error },
    );
  }
  const bound = server.address();
  return {
    port: bound !== null && typeof bound === 'object' ? bound.port : address.port,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

interface Content {
  readonly status: number;
  readonly body: string;
  readonly contentType?: string;
}

const PAGES = new Map<string, (check: HealthCheck, metrics: Metrics) => Promise<Content>>([
  ['/healthcheck', (check) => healthAnswer(check)],
  [
    '/metrics',
    async (_check, metrics) => {
      const { contentType, text } = await metrics.page();
      return { status: 200, body: text, contentType };
    },
  ],
]);

function answer(response: ServerResponse, { status, body, contentType }: Content): void {
  const type = contentType ?? 'text/plain; charset=utf-8';
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body);
}
