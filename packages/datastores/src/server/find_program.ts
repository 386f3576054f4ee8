import { accessSync, constants, realpathSync } from 'node:fs';
import { join } from 'node:path';

/** The path of a program in one of these folders, links followed; undefined where none has it. */
export function findProgram(name: string, folders: readonly string[]): string | undefined {
  for (const folder of folders) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return realpathSync(path);
    } catch {
      // Not there, or not for us: the next folder may have it.
    }
  }
  return undefined;
}

/** The folders of `PATH`, and those that hold servers but are on root's `PATH` only. */
export function programFolders(): readonly string[] {
  const onPath = (process.env['PATH'] ?? '').split(':').filter((folder) => folder.startsWith('/'));
  return [...new Set([...onPath, '/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/usr/libexec'])];
}
