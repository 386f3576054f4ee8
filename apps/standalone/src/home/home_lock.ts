import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { identifyProcess, type ProcessIdentity, processRuns } from '@trove/common';

export interface HomeLock {
  release(): void;
}

/**
 * One control plane on one home. A lock whose holder is dead (another process may have its number by now) is taken over.
 * Returns the holder where it lives.
 */
export function lockHome(lockFile: string): HomeLock | { readonly holder: ProcessIdentity } {
  const self = identifyProcess(process.pid) ?? { pid: process.pid, started: '' };
  for (;;) {
    if (createExclusively(lockFile, JSON.stringify(self))) return { release: () => rmSync(lockFile, { force: true }) };
    const holder = readHolder(lockFile);
    if (holder !== undefined && processRuns(holder)) return { holder };
    rmSync(lockFile, { force: true });
  }
}

function createExclusively(path: string, text: string): boolean {
  try {
    const file = openSync(path, 'wx', 0o600);
    writeSync(file, text);
    closeSync(file);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

function readHolder(path: string): ProcessIdentity | undefined {
  try {
    const { pid, started } = JSON.parse(readFileSync(path, 'utf8')) as Partial<ProcessIdentity>;
    return pid === undefined || started === undefined ? undefined : { pid, started };
  } catch {
    return undefined;
  }
}
