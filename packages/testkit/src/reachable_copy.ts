import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

export interface ReachableCopy {
  readonly path: string;
  dispose(): void;
}

/**
 * This file or folder where every account can reach it: as root a copy, if a folder above is closed (a checkout below
 * `/root`), else itself. Tests that are root start what runs as another account from here.
 */
export function reachableCopy(path: string): ReachableCopy {
  if (process.getuid?.() !== 0 || isOpen(path)) return { path, dispose: () => undefined };
  const folder = mkdtempSync(join(tmpdir(), 'trove-reachable-'));
  execFileSync('cp', ['-a', path, folder]);
  execFileSync('chmod', ['-R', 'a+rX', folder]);
  chmodSync(folder, 0o755);
  return { path: join(folder, basename(path)), dispose: () => rmSync(folder, { recursive: true, force: true }) };
}

function isOpen(path: string): boolean {
  const above = dirname(path);
  return (statSync(path).mode & 0o001) !== 0 && (above === path || isOpen(above));
}
