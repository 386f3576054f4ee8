import { TroveError } from '@trove/common';
import type { VolumeInspectInfo } from 'dockerode';
import type { CreateVolume } from '../driver.ts';
import { filesOf } from './archive.ts';
import { PATHS } from './container_spec.ts';
import { listContainers, putEntries, removeContainer } from './containers.ts';
import { isCopied, makeCopy, waitForEnd } from './copies.ts';
import type { Engine } from './engine.ts';
import { idOn, names } from './ids.ts';
import { LABELS, labelled } from './labels.ts';

/** A note of ours on the volume, beside the guest's data: its size in GB after it has grown. A volume's labels never change. */
const SIZE_FILE = 'size';

/** The volumes and snapshots of one host. Docker's own driver has no quota: a size is counted, and not enforced. */
export class HostVolumes {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** The id of the volume that this token made here. */
  async find(token: string): Promise<string | undefined> {
    const id = idOn(this.#engine.host.name, 'volume', token);
    return (await this.#inspect(names.volume(id))) === undefined ? undefined : id;
  }

  /** An engine that has a volume of that name already gives it back. */
  async create(request: CreateVolume, signal: AbortSignal): Promise<string> {
    const id = idOn(this.#engine.host.name, 'volume', request.clientToken);
    const labels = {
      [LABELS.kind]: 'volume',
      [LABELS.deployment]: request.deploymentId,
      [LABELS.instance]: request.instanceId,
      [LABELS.token]: request.clientToken,
      [LABELS.size]: String(request.size),
      [LABELS.ram]: String(request.server?.flavor.ram ?? 0),
    };
    await this.#make(names.volume(id), labels, signal);
    return id;
  }

  async remove(volumeId: string, signal: AbortSignal): Promise<void> {
    await removeContainer(this.#engine, names.restore(volumeId), signal);
    await this.#remove(names.volume(volumeId), signal);
  }

  /** GB, as asked for at first or since; undefined where there is no such volume. */
  async size(volumeId: string): Promise<number | undefined> {
    const found = await this.#inspect(names.volume(volumeId));
    if (found === undefined) return undefined;
    return (await this.#notedSize(volumeId)) ?? Number(found.Labels?.[LABELS.size] ?? 0);
  }

  /** Only grows. */
  async extend(volumeId: string, size: number, signal: AbortSignal): Promise<void> {
    const present = await this.size(volumeId);
    if (present === undefined) throw new TroveError('COMPUTE_ERROR', 'The volume is not there.');
    if (present >= size) return;
    const server = await this.#serverOf(volumeId);
    if (server === undefined) throw new TroveError('COMPUTE_ERROR', 'The volume belongs to no server.');
    const note = { kind: 'file', name: SIZE_FILE, owner: { uid: 0, gid: 0 }, mode: 0o644, text: String(size) } as const;
    await putEntries(this.#engine, server, PATHS.volume, [note], signal);
  }

  async snapshot(volumeId: string, token: string, signal: AbortSignal): Promise<string> {
    const volume = await this.#inspect(names.volume(volumeId), signal);
    if (volume === undefined) throw new TroveError('COMPUTE_ERROR', 'The volume is not there.');
    const id = idOn(this.#engine.host.name, 'snapshot', token);
    if (await isCopied(this.#engine, names.copy(id))) return id;
    const labels = {
      [LABELS.deployment]: volume.Labels?.[LABELS.deployment] ?? '',
      [LABELS.instance]: volume.Labels?.[LABELS.instance] ?? '',
      [LABELS.token]: token,
      [LABELS.volume]: volumeId,
    };
    await this.#make(names.snapshot(id), { ...labels, [LABELS.kind]: 'snapshot' }, signal);
    const [from, to] = [names.volume(volumeId), names.snapshot(id)];
    await makeCopy(this.#engine, { kind: 'snapshot', name: names.copy(id), from, to, labels }, signal);
    return id;
  }

  /** The whole snapshot that this token made here; half a copy counts as none. */
  async findSnapshot(token: string): Promise<string | undefined> {
    const id = idOn(this.#engine.host.name, 'snapshot', token);
    return (await isCopied(this.#engine, names.copy(id))) ? id : undefined;
  }

  async restore(volumeId: string, snapshotId: string, signal: AbortSignal): Promise<void> {
    if (!(await isCopied(this.#engine, names.copy(snapshotId))))
      throw new TroveError('COMPUTE_ERROR', 'The snapshot is not there.');
    const name = names.restore(volumeId);
    // One that somebody else began may be of another snapshot: it ends first, and then ours is done.
    await waitForEnd(this.#engine, name, signal);
    await removeContainer(this.#engine, name, signal);
    const [from, to] = [names.snapshot(snapshotId), names.volume(volumeId)];
    const labels = { [LABELS.volume]: volumeId };
    await makeCopy(this.#engine, { kind: 'restore', name, from, to, labels }, signal);
    await removeContainer(this.#engine, name, signal);
  }

  async removeSnapshot(snapshotId: string, signal: AbortSignal): Promise<void> {
    await removeContainer(this.#engine, names.copy(snapshotId), signal);
    await this.#remove(names.snapshot(snapshotId), signal);
  }

  /** All volumes of ours with these labels. */
  async list(labels: Parameters<typeof labelled>[0]): Promise<readonly VolumeInspectInfo[]> {
    const filters = labelled(labels);
    const listed = await this.#engine.call((docker, abortSignal) => docker.listVolumes({ filters, abortSignal }));
    return listed.Volumes ?? [];
  }

  async #notedSize(volumeId: string): Promise<number | undefined> {
    const server = await this.#serverOf(volumeId);
    if (server === undefined) return undefined;
    const path = `${PATHS.volume}/${SIZE_FILE}`;
    const tar = await this.#engine.find((docker, abortSignal) =>
      docker.getContainer(server).getArchive({ path, abortSignal }),
    );
    return tar === undefined ? undefined : Number((await filesOf(tar))[SIZE_FILE]);
  }

  async #serverOf(volumeId: string): Promise<string | undefined> {
    const [server] = await listContainers(this.#engine, { kind: 'server', volume: volumeId });
    return server?.Id;
  }

  async #make(Name: string, Labels: Record<string, string>, signal: AbortSignal): Promise<void> {
    await this.#engine.call((docker, abortSignal) => docker.createVolume({ Name, Labels, abortSignal }), { signal });
  }

  #inspect(name: string, signal?: AbortSignal): Promise<VolumeInspectInfo | undefined> {
    return this.#engine.find(
      (docker, abortSignal) => docker.getVolume(name).inspect({ abortSignal }),
      signal === undefined ? {} : { signal },
    );
  }

  async #remove(name: string, signal: AbortSignal): Promise<void> {
    await this.#engine.find((docker, abortSignal) => docker.getVolume(name).remove({ abortSignal }), { signal });
  }
}
