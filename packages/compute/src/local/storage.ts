import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { syncFolder, TroveError, uuidV5 } from '@trove/common';
import type { CreateVolume } from '../driver.ts';
import { type Account, makeGuestFolder } from './account.ts';
import { FolderCopies, sweepPartials } from './copy_folder.ts';
import { readJson, writeJson } from './json_file.ts';
import type { Layout } from './layout.ts';

export interface VolumeRecord {
  readonly id: string;
  readonly client_token: string;
  readonly deployment_id: string;
  readonly instance_id: string;
  readonly size: number;
}

export interface SnapshotRecord {
  readonly id: string;
  readonly client_token: string;
  readonly volume_id: string;
  /** Its volume's; absent in what older releases made. */
  readonly deployment_id?: string | undefined;
}

interface Found {
  readonly instanceId: string;
  readonly folder: string;
}

const VOLUME_NAMESPACE = '6a7c9e55-8c42-5a0b-9a53-0b5d2f7f3e01';
const SNAPSHOT_NAMESPACE = '6a7c9e55-8c42-5a0b-9a53-0b5d2f7f3e02';

/** Volumes and snapshots: folders whose record stands beside them. A record is written last, so what has one is whole. */
export class Storage {
  readonly #layout: Layout;
  readonly #account: Account | undefined;
  readonly #copies = new FolderCopies();

  constructor(layout: Layout, account: Account | undefined) {
    this.#layout = layout;
    this.#account = account;
  }

  createVolume(request: CreateVolume): { volumeId: string } {
    const id = uuidV5(VOLUME_NAMESPACE, request.clientToken);
    const folder = this.#layout.volumeDir(request.instanceId, id);
    mkdirSync(dirname(folder), { recursive: true, mode: 0o755 });
    makeGuestFolder(folder, this.#account);
    const record: VolumeRecord = {
      id,
      client_token: request.clientToken,
      deployment_id: request.deploymentId,
      instance_id: request.instanceId,
      size: request.size,
    };
    writeJson(`${folder}.json`, record);
    return { volumeId: id };
  }

  findVolume(clientToken: string): { volumeId: string } | undefined {
    const found = this.#locate('volume', uuidV5(VOLUME_NAMESPACE, clientToken));
    const record = found === undefined ? undefined : readJson<VolumeRecord>(`${found.folder}.json`);
    return record?.client_token === clientToken ? { volumeId: record.id } : undefined;
  }

  /** The instance that the volume is of. */
  extendVolume(volumeId: string, size: number): string {
    const { folder, instanceId } = this.#need('volume', volumeId);
    const record = readJson<VolumeRecord>(`${folder}.json`);
    if (record !== undefined && record.size < size) writeJson(`${folder}.json`, { ...record, size });
    return instanceId;
  }

  /** GB; undefined where there is no such volume. */
  sizeOf(volumeId: string): number | undefined {
    const found = this.#locate('volume', volumeId);
    return found === undefined ? undefined : readJson<VolumeRecord>(`${found.folder}.json`)?.size;
  }

  async deleteVolume(volumeId: string): Promise<void> {
    const found = this.#locate('volume', volumeId);
    if (found === undefined) return;
    await this.#copies.drop(found.folder);
    await this.endSnapshots(found.instanceId);
    this.#sweepHalves(found.instanceId);
    this.#remove(found);
  }

  async snapshotVolume(volumeId: string, clientToken: string, signal: AbortSignal): Promise<{ snapshotId: string }> {
    const volume = this.#need('volume', volumeId);
    const id = uuidV5(SNAPSHOT_NAMESPACE, clientToken);
    const folder = this.#layout.snapshotDir(volume.instanceId, id);
    if (existsSync(`${folder}.json`)) return { snapshotId: id };
    mkdirSync(dirname(folder), { recursive: true, mode: 0o755 });
    const copy = await this.#copies.beside(volume.folder, folder, signal);
    // Whoever was quicker copied a volume at rest; by now it may be in use again.
    if (existsSync(`${folder}.json`)) {
      rmSync(copy, { recursive: true, force: true });
      return { snapshotId: id };
    }
    rmSync(folder, { recursive: true, force: true });
    renameSync(copy, folder);
    syncFolder(dirname(folder));
    const deployment_id = readJson<VolumeRecord>(`${volume.folder}.json`)?.deployment_id;
    const record: SnapshotRecord = { id, client_token: clientToken, volume_id: volumeId, deployment_id };
    writeJson(`${folder}.json`, record);
    return { snapshotId: id };
  }

  findSnapshot(clientToken: string): { snapshotId: string } | undefined {
    const found = this.#locate('snapshot', uuidV5(SNAPSHOT_NAMESPACE, clientToken));
    const record = found === undefined ? undefined : readJson<SnapshotRecord>(`${found.folder}.json`);
    return record?.client_token === clientToken ? { snapshotId: record.id } : undefined;
  }

  /**
   * Whole or not at all: the copy takes the volume's place by two renames, and a repeat ends what was interrupted. `swapping`
   * runs them where nobody uses the volume.
   */
  async restoreVolume(
    volumeId: string,
    snapshotId: string,
    signal: AbortSignal,
    swapping: (instanceId: string, swap: () => void) => Promise<void>,
  ): Promise<void> {
    const volume = this.#need('volume', volumeId);
    const snapshot = this.#need('snapshot', snapshotId);
    const incoming = await this.#copies.beside(snapshot.folder, volume.folder, signal);
    const outgoing = `${volume.folder}.outgoing`;
    try {
      await swapping(volume.instanceId, () => {
        rmSync(outgoing, { recursive: true, force: true });
        if (existsSync(volume.folder)) renameSync(volume.folder, outgoing);
        renameSync(incoming, volume.folder);
        syncFolder(dirname(volume.folder));
      });
    } finally {
      for (const rest of [incoming, outgoing]) rmSync(rest, { recursive: true, force: true });
    }
  }

  /** The instance's volume rests no longer, or goes: a snapshot that is not whole by now never is. */
  async endSnapshots(instanceId: string): Promise<void> {
    await this.#copies.dropIn(dirname(this.#layout.snapshotDir(instanceId, 'any')));
  }

  /** Ends what nobody will wait for. */
  async close(): Promise<void> {
    await this.#copies.close();
  }

  deleteSnapshot(snapshotId: string): void {
    const found = this.#locate('snapshot', snapshotId);
    if (found !== undefined) this.#remove(found);
  }

  /** The folder of a volume of that instance; `COMPUTE_ERROR` where it has none of that id. */
  volumeFolder(instanceId: string, volumeId: string): string {
    const folder = this.#layout.volumeDir(instanceId, volumeId);
    if (!existsSync(`${folder}.json`)) throw new TroveError('COMPUTE_ERROR', 'The volume is not there.');
    return folder;
  }

  /** GB, as it was asked for. */
  volumeSize(instanceId: string, volumeId: string): number | null {
    return readJson<VolumeRecord>(`${this.#layout.volumeDir(instanceId, volumeId)}.json`)?.size ?? null;
  }

  #need(kind: 'volume' | 'snapshot', id: string): Found {
    const found = this.#locate(kind, id);
    if (found === undefined) throw new TroveError('COMPUTE_ERROR', `The ${kind} is not there.`);
    return found;
  }

  #locate(kind: 'volume' | 'snapshot', id: string): Found | undefined {
    for (const instanceId of this.#layout.instanceIds()) {
      const folder =
        kind === 'volume' ? this.#layout.volumeDir(instanceId, id) : this.#layout.snapshotDir(instanceId, id);
      if (existsSync(`${folder}.json`)) return { instanceId, folder };
    }
    return undefined;
  }

  /** Removes copies that never became snapshots. */
  #sweepHalves(instanceId: string): void {
    const folder = dirname(this.#layout.snapshotDir(instanceId, 'any'));
    const whole = new Set(this.#layout.recordedIds(instanceId, 'snapshots').flatMap((id) => [id, `${id}.json`]));
    for (const entry of existsSync(folder) ? readdirSync(folder) : [])
      if (!whole.has(entry)) rmSync(join(folder, entry), { recursive: true, force: true });
    removeIfEmpty(folder);
  }

  /** The record goes last: what is half removed is found again by a repeat. */
  #remove(found: Found): void {
    sweepPartials(found.folder);
    rmSync(found.folder, { recursive: true, force: true });
    rmSync(`${found.folder}.json`, { force: true });
    removeIfEmpty(dirname(found.folder));
    removeIfEmpty(this.#layout.instanceDir(found.instanceId));
  }
}

/** A folder that holds something yet, or that is gone, is left as it is. */
export function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    const expected =
      error instanceof Error && 'code' in error && ['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(String(error.code));
    if (!expected) throw error;
  }
}
