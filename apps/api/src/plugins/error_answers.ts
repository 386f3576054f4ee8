import { isUnavailable } from '@trove/catalog';
import { type Logger, TroveError } from '@trove/common';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import type { ApiApp } from '../api_app.ts';
import { answerTo, EdgeRefusal } from '../errors.ts';
import { validationMessage } from '../validation_message.ts';

/** Every error becomes an answer here, and nowhere else. */
export function addErrorAnswers(app: ApiApp, logger: Logger): void {
  app.setErrorHandler<FastifyError>(errorAnswerer(logger));
  app.setNotFoundHandler(() => {
    throw new TroveError('NOT_FOUND', 'The resource could not be found.');
  });
}

/** The handler itself; it also answers where a URL cannot be taken apart and no route has been looked for. */
export function errorAnswerer(
  logger: Logger,
): (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => FastifyReply {
  return (error, request, reply) => {
    const acceptsJson = (request.headers.accept ?? '').includes('application/json');
    const answer = answerTo(known(error), { acceptsJson, reads: request.method === 'GET' });
    if (answer.incident !== undefined) {
      logger.error('a request ended in an error of ours', { incident: answer.incident, request_id: request.id, error });
    } else if (answer.httpCode === 503) {
      logger.warn('a request could not be served now', { request_id: request.id, error });
    }
    return reply
      .code(answer.httpCode)
      .headers(answer.headers)
      .type('application/json')
      .send(JSON.stringify(answer.body));
  };
}

/** fastify's and the database's own errors as ours; others stay what they are. */
function known(error: FastifyError): Error {
  if (error.validation) return new TroveError('BAD_REQUEST', validationMessage(error.validation));
  if (isUnavailable(error))
    return new TroveError('CATALOG_UNAVAILABLE', 'The catalog cannot be reached.', { cause: error });
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new EdgeRefusal(413, 'The request body is too large.');
  if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new EdgeRefusal(415, 'The media type of the body is not application/json.');
  }
  const isClients = error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500;
  return isClients ? new EdgeRefusal(400, 'The request could not be understood.') : error;
}
