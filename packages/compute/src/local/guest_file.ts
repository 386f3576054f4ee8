import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';

/** Neither follows a link nor waits for a writer: the guest may have put a link or a pipe there. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** The text of a file in a folder that the guest can write; undefined where it is gone, no ordinary file, or above `limit` bytes. */
export function readGuestFile(path: string, limit: number): string | undefined {
  let file: number;
  try {
    file = openSync(path, FLAGS);
  } catch {
    return undefined;
  }
  try {
    const found = fstatSync(file);
    return found.isFile() && found.size <= limit ? readFileSync(file, 'utf8') : undefined;
  } finally {
    closeSync(file);
  }
}
