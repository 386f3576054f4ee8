import { accessSync, constants, globSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Folders where package managers put servers that an ordinary PATH does not name. */
const SERVER_FOLDERS = [
  '/usr/sbin',
  '/usr/local/sbin',
  '/sbin',
  '/opt/homebrew/bin',
  '/opt/homebrew/sbin',
  '/usr/local/opt/*/sbin',
];

/** The first executable of that name in `folders` (patterns allowed), then on the PATH, then where servers usually are. */
export function findBinary(name: string, folders: readonly string[] = []): string | undefined {
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const folder of [...folders, ...path, ...SERVER_FOLDERS]) {
    const candidates = folder.includes('*') ? globSync(join(folder, name)) : [join(folder, name)];
    const found = candidates.find(isExecutable);
    if (found) return found;
  }
  return undefined;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
