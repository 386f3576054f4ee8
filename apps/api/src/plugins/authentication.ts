import { TroveError } from '@trove/common';
import { type Caller, type Identity } from '@trove/identity';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiApp } from '../api_app.ts';
import { EdgeRefusal } from '../errors.ts';

const VERSION_PREFIX = '/v1.0';

/**
 * Everything below `/v1.0`, paths that do not exist too, needs a token of the project in the URL; an admin's project is no
 * exception. Outside it only routes that say so are served, and what does not exist is 404.
 */
export function addAuthentication(app: ApiApp, identity: Identity): void {
  app.decorateRequest('caller', null);
  app.addHook('onRequest', async (request, reply) => {
    if (request.routeOptions.config.anonymous === true) return;
    const below = isBelowVersion(request.url);
    if (!below && request.is404) return;
    const caller = await callerOf(identity, request);
    if (caller === undefined) return refuse(reply, identity.challenge);
    if (!below || projectOf(request.url) !== caller.projectId) {
      throw new EdgeRefusal(403, 'The project in the URL is not the project of the token.');
    }
    request.caller = caller;
  });
}

/** The caller of a request that has passed authentication. */
export function callerOfRequest(request: FastifyRequest): Caller {
  if (request.caller === null)
    throw new TroveError('UNAUTHENTICATED', 'The request you have made requires authentication.');
  return request.caller;
}

async function callerOf(identity: Identity, request: FastifyRequest): Promise<Caller | undefined> {
  const presented = request.headers['x-auth-token'];
  return typeof presented === 'string' && presented !== '' ? await identity.authenticate(presented) : undefined;
}

function refuse(reply: FastifyReply, challenge: string): FastifyReply {
  const message = 'The request you have made requires authentication.';
  return reply
    .code(401)
    .header('www-authenticate', challenge)
    .type('application/json')
    .send(JSON.stringify({ error: { code: 401, title: 'Unauthorized', message } }));
}

function isBelowVersion(url: string): boolean {
  return url.startsWith(VERSION_PREFIX) && /^[/?]?$/.test(url.charAt(VERSION_PREFIX.length));
}

/** The second part of the path, decoded; empty where there is none. */
function projectOf(url: string): string {
  const part = url.split(/[/?]/, 3)[2] ?? '';
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}
