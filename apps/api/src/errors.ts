import { type ErrorCode, isTroveError, newUuid, type TroveError } from '@trove/common';
import { FAULT_NAMES } from '@trove/contracts';

/** The one place where an error's code becomes an HTTP code. What Trove does not list is 400 there, and here. */
export const HTTP_CODES: Readonly<Record<ErrorCode, number>> = {
  BAD_REQUEST: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  QUOTA_EXCEEDED: 413,
  UNPROCESSABLE: 422,
  NOT_IMPLEMENTED: 501,
  FLAVOR_NOT_FOUND: 400,
  IMAGE_NOT_FOUND: 400,
  DATASTORE_NOT_FOUND: 404,
  DATASTORE_VERSION_NOT_FOUND: 400,
  DATASTORE_VERSION_INACTIVE: 400,
  DATABASE_NOT_FOUND: 404,
  DATABASE_EXISTS: 400,
  USER_EXISTS: 400,
  GUEST_TIMEOUT: 400,
  GUEST_ERROR: 400,
  RPC_TIMEOUT: 503,
  RPC_REFUSED: 503,
  BUS_UNAVAILABLE: 503,
  CATALOG_UNAVAILABLE: 503,
  COMPUTE_ERROR: 503,
  STALE_BOOT: 503,
  STALE_FENCE: 409,
  ALREADY_DONE: 409,
  CONFIG_INVALID: 500,
  INTERNAL: 500,
};

/** Seconds after which a client may try again what a 503 refused. */
const RETRY_AFTER = 5;

/** A refusal before a controller has seen the request: answered in the plain shape to clients that accept JSON. */
export class EdgeRefusal extends Error {
  readonly httpCode: number;

  constructor(httpCode: number, publicMessage: string) {
    super(publicMessage);
    this.httpCode = httpCode;
  }
}

export interface ErrorAnswer {
  httpCode: number;
  headers: Record<string, string>;
  body: unknown;
  /** Set where the error is ours: the id under which the log has it. */
  incident?: string;
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  413: 'Request Entity Too Large',
  415: 'Unsupported Media Type',
  503: 'Service Unavailable',
};

/** Of the request that an error answers. */
export interface Asked {
  /** It has sent `Accept: application/json`. */
  readonly acceptsJson: boolean;
  /** It changes nothing, so that nothing can be unknown of its effect. */
  readonly reads: boolean;
}

/** What a client hears of an error. */
export function answerTo(error: unknown, { acceptsJson, reads }: Asked): ErrorAnswer {
  if (error instanceof EdgeRefusal)
    return { httpCode: error.httpCode, headers: headersOf(error.httpCode), body: edgeBody(error, acceptsJson) };
  if (!isTroveError(error)) return incident();
  const httpCode = HTTP_CODES[error.code];
  if (httpCode === 500) return incident();
  return { httpCode, headers: headersOf(httpCode), body: faultBody(httpCode, publicText(error, reads)) };
}

function headersOf(httpCode: number): Record<string, string> {
  return httpCode === 503 ? { 'retry-after': String(RETRY_AFTER) } : {};
}

/** Trove's own shape: one member, named by the HTTP code. */
function faultBody(httpCode: number, message: string): unknown {
  return { [FAULT_NAMES[httpCode] ?? 'instanceFault']: { code: httpCode, message } };
}

function publicText(error: TroveError, reads: boolean): string {
  if (error.code !== 'RPC_TIMEOUT') return error.message;
  const unheard = 'No answer came from the control plane in time';
  return reads ? `${unheard}.` : `${unheard}; whether the request took effect is unknown.`;
}

function edgeBody(error: EdgeRefusal, acceptsJson: boolean): unknown {
  const title = TITLES[error.httpCode];
  if (!acceptsJson || title === undefined) return faultBody(error.httpCode, error.message);
  return { code: `${error.httpCode} ${title}`, title, message: error.message };
}

function incident(): ErrorAnswer {
  const id = newUuid();
  return {
    httpCode: 500,
    headers: {},
    body: faultBody(500, `An internal error occurred; its id is ${id}.`),
    incident: id,
  };
}
