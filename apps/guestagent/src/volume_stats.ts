import { lstat, readdir, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ServerFacts } from './server_facts.ts';

/** Blocks as the file system counts them; the others in GB. */
export interface VolumeStats {
  readonly block_size: number;
  readonly total_blocks: number;
  readonly free_blocks: number;
  readonly avail_blocks: number;
  readonly total: number;
  readonly free: number;
  readonly used: number;
}

const GB = 1024 ** 3;

/**
 * The volume's figures. A volume that is a file system of its own is asked; one that is a folder (local compute) is
 * measured, and its total is the size that was asked for.
 */
export async function volumeStats(facts: ServerFacts): Promise<VolumeStats> {
  const system = await statfs(facts.volume_dir);
  const isMounted = (await stat(facts.volume_dir)).dev !== (await stat(dirname(facts.volume_dir))).dev;
  const asked = facts.volumeSize();
  const size = isMounted || asked === null ? system.blocks * system.bsize : asked * GB;
  const used = isMounted ? (system.blocks - system.bfree) * system.bsize : await folderBytes(facts.volume_dir);
  const free = Math.max(0, size - used);
  return {
    block_size: system.bsize,
    total_blocks: Math.floor(size / system.bsize),
    free_blocks: Math.floor(free / system.bsize),
    avail_blocks: Math.floor(free / system.bsize),
    total: inGigabytes(size),
    free: inGigabytes(free),
    used: inGigabytes(used),
  };
}

function inGigabytes(bytes: number): number {
  return Math.round((bytes / GB) * 100) / 100;
}

/** What the folder takes up on disk. Files come and go meanwhile: what is gone counts nothing. */
async function folderBytes(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += await folderBytes(path);
    else
      bytes += await lstat(path).then(
        ({ blocks }) => blocks * 512,
        () => 0,
      );
  }
  return bytes;
}
