/**
 * One closed family of business errors. They know no HTTP and no AMQP: each edge maps `code` once
 * (the api in `apps/api/src/errors.ts`, the wire in `packages/crypto-rpc`).
 */
export const ERROR_CODES = [
  'BAD_REQUEST',
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'NOT_FOUND',
  'CONFLICT',
  'QUOTA_EXCEEDED',
  'UNPROCESSABLE',
  'NOT_IMPLEMENTED',
  'FLAVOR_NOT_FOUND',
  'IMAGE_NOT_FOUND',
  'DATASTORE_NOT_FOUND',
  'DATASTORE_VERSION_NOT_FOUND',
  'DATASTORE_VERSION_INACTIVE',
  'DATABASE_NOT_FOUND',
  'DATABASE_EXISTS',
  'USER_EXISTS',
  'GUEST_TIMEOUT',
  'GUEST_ERROR',
  'RPC_TIMEOUT',
  'RPC_REFUSED',
  'BUS_UNAVAILABLE',
  'CATALOG_UNAVAILABLE',
  'COMPUTE_ERROR',
  'STALE_BOOT',
  'STALE_FENCE',
  'ALREADY_DONE',
  'CONFIG_INVALID',
  'INTERNAL',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

export interface TroveErrorOptions {
  /** What went wrong underneath. Never shown to a tenant, never sent over a wire. */
  cause?: unknown;
  /** Whether the same request may succeed later without being changed. Default false. */
  retryable?: boolean;
  /** Facts that may be shown to the tenant beside the text; JSON values only. */
  details?: Record<string, unknown>;
}

/** An error with a stable code and a text that a tenant may read. */
export class TroveError extends Error {
  override readonly name = 'TroveError';
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly details: Record<string, unknown> | undefined;

  /** @param publicMessage shown to the tenant; holds no secret, no path, no stack. */
  constructor(code: ErrorCode, publicMessage: string, options: TroveErrorOptions = {}) {
    super(publicMessage, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.details = options.details;
  }
}

/** True for errors of this family, also across two copies of the package. */
export function isTroveError(error: unknown, code?: ErrorCode): error is TroveError {
  return (
    error instanceof Error &&
    error.name === 'TroveError' &&
    'code' in error &&
    (code === undefined || error.code === code)
  );
}

/** Whether it is the operating system's refusal, such as EACCES: its message says what was tried, and needs no stack. */
export function isSystemError(error: unknown): error is Error & { code: string; syscall: string } {
  return error instanceof Error && 'code' in error && 'syscall' in error && typeof error.code === 'string';
}

/**
 * The error as a member of the family: others become `INTERNAL` with `fallbackMessage`, the original as cause; retryable where
 * a disk was full, which passes.
 */
export function toTroveError(error: unknown, fallbackMessage = 'An internal error occurred.'): TroveError {
  if (isTroveError(error)) return error;
  return new TroveError('INTERNAL', fallbackMessage, { cause: error, retryable: isDiskFull(error) });
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}
