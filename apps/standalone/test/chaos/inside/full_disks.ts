import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { readTroubles } from './run_folder.ts';

type Writable = Parameters<typeof fs.writeFileSync>[0];

/**
 * From here on what this process writes below a folder whose disk is full, as the run says, fails as it does there: the file is
 * there, half of the text is in it, and then there is no space. What removes or renames goes on.
 */
export function obeyFullDisks(folder: string): void {
  const { openSync, closeSync, writeFileSync, mkdirSync } = fs;
  const opened = new Map<number, string>();
  const isFull = (path: string): boolean => readTroubles(folder).fullDisks.some((full) => path.startsWith(full));
  const pathOf = (file: Writable): string => (typeof file === 'number' ? (opened.get(file) ?? '') : String(file));

  const open: typeof openSync = (path, ...rest) => {
    const file = openSync(path, ...rest);
    opened.set(file, String(path));
    return file;
  };
  const close: typeof closeSync = (file) => {
    opened.delete(file);
    closeSync(file);
  };
  const write: typeof writeFileSync = (file, data, ...rest) => {
    if (!isFull(pathOf(file))) return writeFileSync(file, data, ...rest);
    if (typeof data === 'string') writeFileSync(file, data.slice(0, data.length / 2), ...rest);
    throw noSpace();
  };
  const makeFolder = ((path: fs.PathLike, ...rest: [fs.MakeDirectoryOptions?]) => {
    if (!fs.existsSync(path) && isFull(String(path))) throw noSpace();
    return mkdirSync(path, ...rest);
  }) as typeof mkdirSync;
  Object.assign(fs, { openSync: open, closeSync: close, writeFileSync: write, mkdirSync: makeFolder });
  syncBuiltinESMExports();
}

function noSpace(): NodeJS.ErrnoException {
  return Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
}
