import { type DestinationStream, destination, pino, stdTimeFunctions } from 'pino';

/** Fields of one log line. A value that is a `Secret` prints as `[secret]`. */
export type LogFields = Record<string, unknown>;

/**
 * A log line is a constant message and an object of fields, in this order: `log.info('task taken', { task_id })`.
 * Two lint rules hold it so: no interpolated message, and no field named like a key, token or password.
 */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds these fields to each line. */
  child(fields: LogFields): Logger;
}

export interface LoggerOptions {
  service: string;
  /** Default `info`. */
  level?: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** Where the JSON lines go. Default: standard error, so that standard output stays for people. */
  stream?: DestinationStream;
}

/** A logger that writes one JSON object per line (pino). Errors stand under `error` with message, code and stack. */
export function createLogger(options: LoggerOptions): Logger {
  const root = pino(
    {
      level: options.level ?? 'info',
      base: { service: options.service, pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      messageKey: 'message',
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: serializeError },
    },
    options.stream ?? destination({ fd: 2, sync: true }),
  );
  return wrap(root);
}

type Sink = Pick<ReturnType<typeof pino>, 'debug' | 'info' | 'warn' | 'error' | 'child'>;

function wrap(sink: Sink): Logger {
  return {
    debug: (message, fields) => sink.debug(fields ?? {}, message),
    info: (message, fields) => sink.info(fields ?? {}, message),
    warn: (message, fields) => sink.warn(fields ?? {}, message),
    error: (message, fields) => sink.error(fields ?? {}, message),
    child: (fields) => wrap(sink.child(fields)),
  };
}

/** Discards every line; for tests and for libraries that need none. */
export const silentLogger: Logger = createLogger({ service: 'silent', level: 'silent' });

function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const code = 'code' in error ? error.code : undefined;
  return { name: error.name, code, message: error.message, stack: error.stack, cause: serializeError(error.cause) };
}
