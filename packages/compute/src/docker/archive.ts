import { buffer } from 'node:stream/consumers';
import { TroveError } from '@trove/common';
import { extract, pack } from 'tar-stream';
import type { InjectedFiles } from '../driver.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** What is put into a container: folders as it is told, then files, in this order. */
export type ArchiveEntry =
  | { readonly kind: 'folder'; readonly name: string; readonly owner: Owner; readonly mode: number }
  | {
      readonly kind: 'file';
      readonly name: string;
      readonly owner: Owner;
      readonly mode: number;
      readonly text: string;
    };

/** A tar of these entries; names are relative to where it is put. */
export async function archiveOf(entries: readonly ArchiveEntry[]): Promise<Buffer> {
  const tar = pack();
  for (const entry of entries) {
    const { name, mode, owner } = entry;
    if (entry.kind === 'folder') tar.entry({ name: `${name}/`, type: 'directory', mode, ...owner });
    else tar.entry({ name, type: 'file', mode, ...owner }, entry.text);
  }
  tar.finalize();
  return buffer(tar);
}

const ENTRIES_AT_MOST = 100;
const BYTES_AT_MOST = 1024 * 1024;

/**
 * The files of a tar, by name. The guest could write what it came from: what is no ordinary file is left out, and what
 * has grown out of all measure is `COMPUTE_ERROR`.
 */
export async function filesOf(tar: NodeJS.ReadableStream): Promise<InjectedFiles> {
  const files: Record<string, string> = {};
  let bytes = 0;
  let count = 0;
  const reader = extract();
  const source = tar.on('error', (error) => reader.destroy(error)).pipe(reader);
  try {
    for await (const entry of reader) {
      count += 1;
      bytes += entry.header.size ?? 0;
      if (count > ENTRIES_AT_MOST || bytes > BYTES_AT_MOST) throw tooMuch();
      const content = await buffer(entry);
      if (entry.header.type === 'file') files[entry.header.name] = content.toString('utf8');
    }
  } finally {
    source.destroy();
    if ('destroy' in tar && typeof tar.destroy === 'function') tar.destroy();
  }
  return files;
}

function tooMuch(): TroveError {
  return new TroveError('COMPUTE_ERROR', 'The injected files cannot be read back.');
}
