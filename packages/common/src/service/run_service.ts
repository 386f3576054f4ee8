import { parseArgs } from 'node:util';
import closeWithGrace from 'close-with-grace';
import { checkKeyFileModes } from '../config/key_file_modes.ts';
import { loadConfig } from '../config/load_config.ts';
import type { ConfigOf, OptionSpec } from '../config/options.ts';
import { isSystemError, isTroveError, TroveError } from '../errors.ts';
import { createLogger, type Logger } from '../logger.ts';
import { createMetrics, type Metrics } from '../metrics/metrics.ts';
import { loadTlsServer, type TlsServerSettings } from '../tls/tls_server.ts';
import { type HealthCheck, startHealthServer } from './health_server.ts';

/** A service that has started. */
export interface RunningService {
  /** Takes no more, finishes what it has within `graceMs`, closes what it opened. */
  close(): Promise<void>;
  /** What is broken now, for `/healthcheck` on `health_port`; without it nothing ever is. */
  health?: HealthCheck;
  /** Goes behind `ready` on the one line that says so: `on http://127.0.0.1:8779`. */
  readyText?: string;
}

export interface ServiceDefinition<Specs extends readonly OptionSpec[]> {
  /** `trove-api` */
  name: string;
  options: Specs;
  start(config: ConfigOf<Specs>, context: ServiceContext): Promise<RunningService>;
}

export interface ServiceContext {
  logger: Logger;
  /** Shown at `/metrics` on `health_port`, with what the process itself takes. */
  metrics: Metrics;
  /** How long work under way may go on once `close` was called; then it is given up, so that there is time to close in order. */
  graceMs: number;
  /** Absolute or relative as given; for a service that hands its files on to a child. */
  configFiles: readonly string[];
  /** Ends the service as a signal would, for one that finds out by itself that it cannot go on. */
  stop(): void;
}

const STOP_WITHIN_S = 60;
/** Of the time to stop, for work under way; the rest is for closing. */
const GRACE_SHARE = 0.75;
const USAGE_EXIT = 2;

/**
 * All that a service's `main.ts` does with the process: reads `--config-file FILE` (repeatable) and the environment, starts,
 * says on one line of standard output that it is ready, and stops at the first SIGTERM or SIGINT, within
 * `graceful_shutdown_timeout`; a second one ends it at once. While it starts or stops, `/healthcheck` says so. A
 * configuration that does not hold is one line on standard error and exit code 1.
 */
export async function runService<const Specs extends readonly OptionSpec[]>(
  service: ServiceDefinition<Specs>,
  argv: readonly string[] = process.argv.slice(2),
): Promise<void> {
  const configFiles = configFilesOf(service.name, argv);
  if (!configFiles) return;
  try {
    await start(service, configFiles);
  } catch (error) {
    process.stderr.write(`${service.name}: ${startFailure(error)}\n`);
    process.exit(1);
  }
}

function configFilesOf(name: string, argv: readonly string[]): string[] | undefined {
  const usage = `usage: ${name} [--config-file FILE]...\n`;
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        'config-file': { type: 'string', multiple: true, default: [] },
        help: { type: 'boolean', default: false },
      },
    });
    if (!values.help) return values['config-file'];
    process.stdout.write(usage);
  } catch (error) {
    process.stderr.write(`${name}: ${error instanceof Error ? error.message : String(error)}\n${usage}`);
    process.exitCode = USAGE_EXIT;
  }
  return undefined;
}

async function start<Specs extends readonly OptionSpec[]>(
  service: ServiceDefinition<Specs>,
  configFiles: string[],
): Promise<void> {
  let unused: string[] = [];
  const config = loadConfig({
    files: configFiles,
    env: process.env,
    options: service.options,
    service: service.name,
    onUnused: (names) => {
      unused = names;
    },
  });
  const tooOpen = checkKeyFileModes(configFiles);
  const common = commonSettings(config);
  const tls = loadTlsServer(common.ssl);
  const logger = createLogger({ service: service.name, level: common.level });
  const metrics = createMetrics({ process: true });
  if (unused.length > 0) logger.warn('options of Trove that are not used here', { options: unused });
  if (tooOpen.length > 0)
    logger.warn('files that hold a key may be read by others than their owner: chmod 0600', { files: tooOpen });

  const stopWithinMs = common.stopWithinS * 1000;
  // In the order in which they are closed: the health port is the last to go, and says meanwhile that the service stops.
  const closers: (() => Promise<void>)[] = [];
  let isStopping = false;
  const grace = closeWithGrace(
    { delay: stopWithinMs === 0 ? false : stopWithinMs, logger: graceLogger(logger) },
    async ({ err, signal }) => {
      isStopping = true;
      if (err) logger.error('an error that nothing handled ends the service', { error: err });
      logger.info('stopping', { signal });
      for (const close of closers) await close();
      logger.info('stopped');
    },
  );
  let check: HealthCheck | undefined = () => STARTING;
  if (common.healthPort !== undefined) {
    const address = { host: common.healthHost, port: common.healthPort, tls };
    const health = await startHealthServer(address, () => (isStopping ? STOPPING : (check?.() ?? [])), metrics);
    closers.push(() => health.close());
  }
  const running = await service.start(config, {
    ...{ logger, metrics, configFiles, stop: () => grace.close() },
    graceMs: (stopWithinMs === 0 ? STOP_WITHIN_S * 1000 : stopWithinMs) * GRACE_SHARE,
  });
  closers.unshift(() => running.close());
  check = running.health;
  process.stdout.write(`${[service.name, 'ready', running.readyText].filter(Boolean).join(' ')}\n`);
}

const STARTING = [{ part: 'service', reason: 'starting' }];
const STOPPING = [{ part: 'service', reason: 'stopping' }];

interface CommonSettings {
  level: 'debug' | 'info' | 'warn' | 'error';
  healthHost: string;
  healthPort: number | undefined;
  stopWithinS: number;
  ssl: TlsServerSettings;
}

/** The shared options that the runner itself needs, whichever of them the service's table has. */
function commonSettings(config: object): CommonSettings {
  const defaults = ('DEFAULT' in config ? config.DEFAULT : {}) as Partial<{
    debug: boolean;
    log_level: CommonSettings['level'];
    health_host: string;
    health_port: number;
    graceful_shutdown_timeout: number;
  }>;
  return {
    level: defaults.debug ? 'debug' : (defaults.log_level ?? 'info'),
    healthHost: defaults.health_host ?? '127.0.0.1',
    healthPort: defaults.health_port,
    stopWithinS: defaults.graceful_shutdown_timeout ?? STOP_WITHIN_S,
    ssl: 'ssl' in config ? (config.ssl as TlsServerSettings) : {},
  };
}

function graceLogger(logger: Logger): { error(message?: unknown): void } {
  return {
    error: (reason) =>
      logger.error('did not stop in order', { reason: reason instanceof Error ? reason.message : reason }),
  };
}

function startFailure(error: unknown): string {
  if (isTroveError(error, 'CONFIG_INVALID')) return error.message;
  if (error instanceof TroveError || isSystemError(error)) return `cannot start: ${error.message}`;
  return `cannot start: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}
