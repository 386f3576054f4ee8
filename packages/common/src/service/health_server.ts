import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { TroveError } from '../errors.ts';

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

/** Serves `GET /healthcheck`. Throws `TroveError` `CONFIG_INVALID` where the address cannot be listened on. */
export async function startHealthServer(
  address: { host: string; port: number },
  check: HealthCheck,
): Promise<HealthServer> {
  const server = createServer((request, response) => {
    if (request.url !== '/healthcheck') return answer(response, 404, 'Not Found');
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(response, 405, 'Method Not Allowed');
    void healthAnswer(check).then(({ status, body }) => answer(response, status, body));
  });
  server.listen(address.port, address.host);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new TroveError(
      'CONFIG_INVALID',
      `health_host, health_port: cannot listen on ${address.host}:${address.port}`,
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

function answer(response: ServerResponse, status: number, body: string): void {
  response
    .writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'content-length': Buffer.byteLength(body) })
    .end(body);
}
