import { TroveError } from '@trove/common';
import type { VolumeInspectInfo } from 'dockerode';
import type { CreateVolume } from '../driver.ts';
import { filesOf } from './archive.ts';
import { PATHS } from './container_spec.ts';
import { listContainers, putEntries } from './containers.ts';
import type { Engine } from './engine.ts';
import { idOn, names } from './ids.ts';
import { LABELS, labelled } from './labels.ts';
import { HostSnapshots } from './snapshots.ts';

/** A note of ours on the volume, beside the guest's data: its size in GB after it has grown. A volume's labels never change. */
const SIZE_FILE = 'size';

/** The volumes and snapshots of one host. Docker's own driver has no quota: a size is counted, and not enforced. */
export class HostVolumes {
  readonly snapshots: HostSnapshots;
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.snapshots = new HostSnapshots(engine);
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
    await this.#engine.call(
      (docker, abortSignal) => docker.createVolume({ Name: names.volume(id), Labels: labels, abortSignal }),
      { signal },
    );
    return id;
  }

  async remove(volumeId: string, signal: AbortSignal): Promise<void> {
    await this.snapshots.letGo(volumeId, signal);
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
    return this.snapshots.make(volumeId, volume.Labels ?? {}, token, signal);
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
