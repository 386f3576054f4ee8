import type { FastifyRequest } from 'fastify';
import type { ApiApp } from '../api_app.ts';
import { EdgeRefusal } from '../errors.ts';

/** Bytes of a body at most: a create with a thousand users fits. */
export const BODY_LIMIT = 1024 * 1024;

/**
 * JSON in. Another media type with something in it is 415; a body that says no type is ignored, as Trove ignores it;
 * an empty one is none. `__proto__` and `constructor` are refused like any other body that is not understood.
 */
export function addBodyParsers(app: ApiApp): void {
  app.removeAllContentTypeParsers();
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') return done(null, undefined);
    void parseJson(request, body, (error: Error | null, value?: unknown) => {
      if (error) done(new EdgeRefusal(400, 'Malformed request body: cannot understand JSON.'));
      else done(null, value);
    });
  });
  app.addContentTypeParser<string>('*', { parseAs: 'string' }, (request, body, done) => {
    if (body === '' || !saysType(request)) done(null, undefined);
    else done(new EdgeRefusal(415, 'The media type of the body is not application/json.'));
  });
}

function saysType(request: FastifyRequest): boolean {
  return (request.headers['content-type'] ?? '') !== '';
}
