import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

interface LibraryLink {
  /** The file that is there, from the package's root. */
  readonly source: string;
  /** The name by which the server looks for it. */
  readonly target: string;
}

/**
 * The npm package makes its libraries' links in a postinstall script, which `npm ci --ignore-scripts` leaves out; the
 * server does not load without them. Makes those that are missing; elsewhere than in that package it does nothing.
 */
export function ensureLibraryLinks(binDir: string): void {
  const native = dirname(binDir);
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const root = dirname(native);
  for (const link of JSON.parse(readFileSync(list, 'utf8')) as readonly LibraryLink[]) {
    const target = join(root, link.target);
    if (!existsSync(target)) makeLink(basename(link.source), target);
  }
}

function makeLink(source: string, target: string): void {
  try {
    symlinkSync(source, target);
  } catch (error) {
    const madeByAnother = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    if (!madeByAnother) throw error;
  }
}
