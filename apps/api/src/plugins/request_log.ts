import type { Logger } from '@trove/common';
import { newUuid } from '@trove/common';
import type { FastifyRequest } from 'fastify';
import type { ApiApp } from '../api_app.ts';

/** The id under which the log and the client know a request. */
export function newRequestId(): string {
  return `req-${newUuid()}`;
}

/** The id that the client gave to all calls of one operation; for the log and for nothing else. */
function operationIdOf(request: FastifyRequest): string | undefined {
  const given = request.headers['x-openstack-request-id'];
  return typeof given === 'string' && /^req-[0-9a-f-]{36}$/.test(given) ? given : undefined;
}

/** A line for each request that may change something, at debug for the others; never with a query or a body. */
export function addRequestLog(app: ApiApp, logger: Logger): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-openstack-request-id', request.id);
  });
  app.addHook('onResponse', async (request, reply) => {
    const line = request.method === 'GET' ? logger.debug : logger.info;
    line('request answered', {
      request_id: request.id,
      operation_id: operationIdOf(request),
      method: request.method,
      path: request.url.split('?', 1)[0],
      code: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
      project_id: request.caller?.projectId,
      user_id: request.caller?.userId,
    });
  });
}
