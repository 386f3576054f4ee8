import { readFileSync, statSync } from 'node:fs';
import { TroveError } from '../errors.ts';
import { parseIni } from './ini.ts';

const OTHERS_READ = 0o044;
const OTHERS_WRITE = 0o002;

/**
 * Looks at the modes of those configuration files that hold a key. Throws `CONFIG_INVALID` for one that everyone may write:
 * whoever puts a key there is believed. Returns those that their group or everyone may read, to be warned of at each start.
 */
export function checkKeyFileModes(files: readonly string[]): string[] {
  const readable: string[] = [];
  for (const file of files.filter(holdsKey)) {
    const { mode } = statSync(file);
    if ((mode & OTHERS_WRITE) !== 0)
      throw new TroveError('CONFIG_INVALID', `${file} holds a key and may be written by everyone: chmod 0600 ${file}`);
    if ((mode & OTHERS_READ) !== 0) readable.push(file);
  }
  return readable;
}

function holdsKey(file: string): boolean {
  return parseIni(readFileSync(file, 'utf8')).some(({ name }) => name.endsWith('_encr_key'));
}
