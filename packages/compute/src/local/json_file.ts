import { readFileSync } from 'node:fs';
import { writeFileDurably } from '@trove/common';

/** A JSON file of the driver's own making; undefined where there is none. */
export function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return undefined;
    throw error;
  }
}

export function writeJson(path: string, value: unknown, mode = 0o600): void {
  writeFileDurably(path, `${JSON.stringify(value, null, 2)}\n`, { mode });
}
