import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  cpSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { isUuid } from '@trove/common';
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

/** Of the instances that have one, the youngest last. */
export function instanceFolders(instancesRoot: string): readonly string[] {
  const folders = readdirSync(instancesRoot)
    .filter(isUuid)
    .map((name) => join(instancesRoot, name));
  return folders
    .map((folder) => ({ folder, made: statSync(folder).birthtimeMs }))
    .sort((a, b) => a.made - b.made)
    .map(({ folder }) => folder);
}

/** What agents keep on their disks has a form; files that a write has left by half, by their paths. */
const KEPT: readonly { readonly name: RegExp; readonly whole: (text: string) => boolean }[] = [
  { name: /\/agent\/journal\/[0-9a-f]{64}\.json$/, whole: isJson },
  { name: /\/agent\/fence$/, whole: (text) => /^\d+$/.test(text) },
  { name: /\/guest_info\.conf$/, whole: (text) => /^instance_rpc_encr_key *= *\w{32}$/m.test(text) },
  { name: /\/(record|volumes\/[^/]+)\.json$/, whole: isJson },
];

export function tornFiles(instancesRoot: string): readonly string[] {
  const names = readdirSync(instancesRoot, { recursive: true, encoding: 'utf8' }).map((name) =>
    join(instancesRoot, name),
  );
  return names.filter((path) => {
    const kept = KEPT.find(({ name }) => name.test(path));
    return kept !== undefined && !kept.whole(readFileSync(path, 'utf8'));
  });
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
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
