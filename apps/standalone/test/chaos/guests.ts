import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isUuid } from '@trove/common';
import { agentProgram } from './inside/run_folder.ts';

/** The processes of this run's agents, asked of the system. */
export function guestPids(folder: string): readonly number[] {
  const program = agentProgram(folder);
  const lines = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,args='], { encoding: 'utf8', maxBuffer: 2 ** 26 });
  return lines
    .split('\n')
    .filter((line) => line.includes(program))
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
