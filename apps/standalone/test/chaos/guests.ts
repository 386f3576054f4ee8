import { execFileSync, spawn } from 'node:child_process';
import { closeSync, cpSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Ground } from './ground.ts';
import { agentProgram } from './inside/run_folder.ts';

/** The processes of this run's agents, asked of the system. */
export function guestPids(folder: string): readonly number[] {
  return processes(agentProgram(folder));
}

/** Of one instance: its server's, and a clone's where there is one. */
export function guestPidsOf(folder: string, instanceId: string): readonly number[] {
  return processes(agentProgram(folder), `/${instanceId}/`);
}

/** From the longest running to the youngest. */
function processes(...parts: readonly string[]): readonly number[] {
  const lines = execFileSync('ps', ['-A', '-ww', '--sort=start_time', '-o', 'pid=,args='], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  return lines
    .split('\n')
    .filter((line) => parts.every((part) => line.includes(part)))
    .map((line) => Number.parseInt(line, 10));
}

export function signalGuest(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it has ended in the meantime
  }
}

/** Everything that a server is, on disk, as it was at one moment: of local compute its folder. */
export class Snapshot {
  readonly #source: string;
  readonly #copy: string;

  constructor({ instancesRoot, folder }: Pick<Ground, 'instancesRoot' | 'folder'>, instanceId: string) {
    this.#source = join(instancesRoot, instanceId);
    this.#copy = join(folder, 'snapshots', instanceId);
    cpSync(this.#source, this.#copy, { recursive: true, preserveTimestamps: true });
  }

  /** Puts back what the guest itself can write: its files, its root, its volumes. It must not run, or be stopped. */
  putBack(): void {
    for (const part of ['files', 'root', 'volumes']) {
      rmSync(join(this.#source, part), { recursive: true, force: true });
      cpSync(join(this.#copy, part), join(this.#source, part), { recursive: true, preserveTimestamps: true });
    }
  }

  /** Starts a second server from it, which has the first one's identity and disks of its own; its agent's pid. */
  startClone(folder: string): number {
    const serverFile = join(this.#copy, 'root/etc/trove/server.json');
    writeFileSync(serverFile, readFileSync(serverFile, 'utf8').replaceAll(this.#source, this.#copy));
    const files = ['/etc/trove/trove-guestagent.conf', '/etc/trove/conf.d/guest_info.conf']
      .map((name) => join(this.#copy, 'files', name))
      .filter((path) => existsSync(path));
    const log = openSync(join(this.#copy, 'agent.log'), 'a', 0o600);
    const child = spawn(
      process.execPath,
      [agentProgram(folder), ...files.flatMap((file) => ['--config-file', file]), '--server-file', serverFile],
      { cwd: join(this.#copy, 'root/run'), detached: true, stdio: ['ignore', log, log], env: {} },
    );
    closeSync(log);
    child.unref();
    if (child.pid === undefined) throw new Error('the clone did not start');
    return child.pid;
  }
}
