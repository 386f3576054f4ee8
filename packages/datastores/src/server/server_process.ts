import { spawn } from 'node:child_process';
import { closeSync, constants, existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  identifyProcess,
  type ProcessIdentity,
  processCommandLine,
  processRuns,
  signalProcess,
  TroveError,
  waitForExit,
  writeFileDurably,
} from '@trove/common';
import { type Account, makePrivateFolder } from './folders.ts';
import { programEnvironment } from './run_program.ts';

const STOP_TIMEOUT_MS = 120_000;
const LOG_TAIL_BYTES = 2000;
/** A link in the log's place is not followed: the database's account owns the folder. */
const LOG_FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;

export interface ServerProcessOptions {
  readonly runDir: string;
  /** The data folder: it stands in the server's command line. */
  readonly serverDir: string;
  /** The file in which the server itself writes its pid on the first line. */
  readonly lockFile: string;
  readonly account: Account | undefined;
}

/**
 * The one server process on a data folder: started apart from the agent, so that it outlives it, and found again by
 * `database.process` (pid and start time) or, where the agent died before writing that, by the server's own lock file.
 */
export class ServerProcess {
  readonly #options: ServerProcessOptions;
  readonly #identityFile: string;
  readonly logFile: string;

  constructor(options: ServerProcessOptions) {
    this.#options = options;
    this.#identityFile = join(options.runDir, 'database.process');
    this.logFile = join(options.runDir, 'database.log');
  }

  find(): ProcessIdentity | undefined {
    return this.#findByIdentity() ?? this.#findByLock();
  }

  spawn(program: string, args: readonly string[]): ProcessIdentity {
    const { runDir, account } = this.#options;
    makePrivateFolder(runDir, account);
    const log = openSync(this.logFile, LOG_FLAGS, 0o600);
    try {
      const child = spawn(program, args, {
        cwd: runDir,
        detached: true,
        stdio: ['ignore', log, log],
        env: programEnvironment(runDir),
        ...account,
      });
      child.on('error', () => undefined);
      child.unref();
      const identity = child.pid === undefined ? undefined : identifyProcess(child.pid);
      if (identity === undefined) throw new TroveError('GUEST_ERROR', 'The database server could not be started.');
      this.#remember(identity);
      return identity;
    } finally {
      closeSync(log);
    }
  }

  /** Asks for a clean end and waits for it. A server that does not end is left running, and that is an error. */
  async stop(signal: NodeJS.Signals): Promise<void> {
    const identity = this.find();
    if (identity !== undefined) {
      signalProcess(identity, signal);
      if (!(await waitForExit(identity, STOP_TIMEOUT_MS))) {
        throw new TroveError('GUEST_ERROR', 'The database server did not stop.', { retryable: true });
      }
    }
    rmSync(this.#identityFile, { force: true });
  }

  /** The end of the server's log: the reason of a failed start. */
  logTail(): string {
    if (!existsSync(this.logFile)) return '';
    return readFileSync(this.logFile, 'utf8').slice(-LOG_TAIL_BYTES);
  }

  #findByIdentity(): ProcessIdentity | undefined {
    const text = readIfThere(this.#identityFile);
    if (text === undefined) return undefined;
    const identity = JSON.parse(text) as ProcessIdentity;
    return processRuns(identity) ? identity : undefined;
  }

  #findByLock(): ProcessIdentity | undefined {
    const pid = Number.parseInt(readIfThere(this.#options.lockFile) ?? '', 10);
    if (!Number.isInteger(pid) || pid <= 1) return undefined;
    const identity = identifyProcess(pid);
    if (identity === undefined || !processCommandLine(pid).includes(this.#options.serverDir)) return undefined;
    makePrivateFolder(this.#options.runDir, this.#options.account);
    this.#remember(identity);
    return identity;
  }

  #remember(identity: ProcessIdentity): void {
    const { account } = this.#options;
    writeFileDurably(this.#identityFile, JSON.stringify(identity), account === undefined ? {} : { owner: account });
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
