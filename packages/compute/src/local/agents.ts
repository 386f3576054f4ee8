import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type ProcessIdentity, processRuns, TroveError } from '@trove/common';
import { type Account, makeGuestFolder } from './account.ts';
import type { AgentHandle, AgentLaunch, AgentRunner } from './agent_runner.ts';
import { guestProcesses, stopGuestProcesses } from './guest_processes.ts';
import { readJson, writeJson } from './json_file.ts';
import type { Layout } from './layout.ts';
import type { ServerRecord } from './server_record.ts';

/** Where the taskmanager injects an agent's configuration; the guest's own file is read last and wins. */
const CONFIG_FILES = ['/etc/trove/trove-guestagent.conf', '/etc/trove/conf.d/guest_info.conf'];
export const SERVER_FILE = '/etc/trove/server.json';

/** The processes of servers. Callers hold the server's lock where they start or stop. */
export class Agents {
  readonly #layout: Layout;
  readonly #account: Account | undefined;
  readonly #runner: AgentRunner;
  readonly #handles = new Map<string, AgentHandle>();

  constructor(layout: Layout, account: Account | undefined, runner: AgentRunner) {
    this.#layout = layout;
    this.#account = account;
    this.#runner = runner;
  }

  /** Starts the server's agent, or takes over the one that runs. */
  async ensureStarted(record: ServerRecord): Promise<void> {
    if (this.#handle(record) !== undefined) return;
    const launch = this.#launch(record);
    makeGuestFolder(launch.workDir, this.#account);
    const handle = await this.#runner.start(launch);
    this.#handles.set(record.id, handle);
    writeJson(this.#layout.agentFile(record.instance_id), handle.identity);
  }

  /** Stops the agent, then what it has left running: afterwards the server has no process. */
  async stop(record: ServerRecord): Promise<void> {
    await this.#handle(record)?.stop();
    this.#handles.delete(record.id);
    if (this.agentAlive(record))
      throw new TroveError('COMPUTE_ERROR', 'The agent belongs to another process.', { retryable: true });
    rmSync(this.#layout.agentFile(record.instance_id), { force: true });
    await stopGuestProcesses(this.#layout.rootDir(record.instance_id), this.#account);
  }

  /** Asked of the system, not of what was once written: whether the agent's process is there. */
  agentAlive(record: ServerRecord): boolean {
    const handle = this.#handles.get(record.id);
    if (handle !== undefined) return handle.alive();
    const identity = this.#identity(record);
    return identity !== undefined && identity.pid !== process.pid && processRuns(identity);
  }

  /** Whether the server runs: its agent, or what the agent started. */
  serverAlive(record: ServerRecord): boolean {
    return (
      this.agentAlive(record) || guestProcesses(this.#layout.rootDir(record.instance_id), this.#account).length > 0
    );
  }

  #handle(record: ServerRecord): AgentHandle | undefined {
    const known = this.#handles.get(record.id);
    if (known?.alive()) return known;
    this.#handles.delete(record.id);
    const identity = this.#identity(record);
    if (identity === undefined || !this.agentAlive(record)) return undefined;
    const adopted = this.#runner.adopt(this.#launch(record), identity);
    if (adopted !== undefined) this.#handles.set(record.id, adopted);
    return adopted;
  }

  #identity(record: ServerRecord): ProcessIdentity | undefined {
    return readJson<ProcessIdentity>(this.#layout.agentFile(record.instance_id));
  }

  #launch(record: ServerRecord): AgentLaunch {
    const files = this.#layout.filesDir(record.instance_id);
    const root = this.#layout.rootDir(record.instance_id);
    return {
      instanceId: record.instance_id,
      serverId: record.id,
      configFiles: CONFIG_FILES.map((name) => join(files, name)).filter((path) => existsSync(path)),
      serverFile: join(root, SERVER_FILE),
      workDir: join(root, 'run'),
      logFile: this.#layout.agentLog(record.instance_id),
      account: this.#account,
    };
  }
}
