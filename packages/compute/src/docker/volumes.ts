import { TroveError } from '@trove/common';
import type { VolumeInspectInfo } from 'dockerode';
import type { CreateVolume } from '../driver.ts';
import type { Engine } from './engine.ts';
import { idOn, names } from './ids.ts';
import { LABELS, labelled } from './labels.ts';
import { HostSnapshots } from './snapshots.ts';

/**
 * The volumes and snapshots of one host. Docker's own driver has no quota: a size is counted, and not enforced. A volume's
 * labels never change, so one that has grown has an empty volume beside it whose labels say how large it is now.
 */
export class HostVolumes {
  readonly snapshots: HostSnapshots;
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.snapshots = new HostSnapshots(engine);
  }

  /** The id of what this token makes here. */
  idOf(token: string): string {
    return idOn(this.#engine.host.name, 'volume', token);
  }

  /** The id of the volume that this token made here. */
  async find(token: string): Promise<string | undefined> {
    const id = this.idOf(token);
    return (await this.#inspect(names.volume(id))) === undefined ? undefined : id;
  }

  /** An engine that has a volume of that name already gives it back. */
  async create(request: CreateVolume, signal: AbortSignal): Promise<string> {
    const id = this.idOf(request.clientToken);
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
    for (const { Name } of await this.list({ kind: 'size', volume: volumeId })) await this.#remove(Name, signal);
    await this.#remove(names.volume(volumeId), signal);
  }

  /** GB, as asked for at first or since; undefined where there is no such volume. */
  async size(volumeId: string): Promise<number | undefined> {
    const found = await this.#inspect(names.volume(volumeId));
    if (found === undefined) return undefined;
    return largest([found, ...(await this.list({ kind: 'size', volume: volumeId }))]);
  }

  /** Only grows. */
  async extend(volumeId: string, size: number, signal: AbortSignal): Promise<void> {
    const volume = await this.#inspect(names.volume(volumeId), signal);
    if (volume === undefined) throw new TroveError('COMPUTE_ERROR', 'The volume is not there.');
    if (((await this.size(volumeId)) ?? 0) >= size) return;
    const labels = {
      [LABELS.kind]: 'size',
      [LABELS.deployment]: volume.Labels?.[LABELS.deployment] ?? '',
      [LABELS.instance]: volume.Labels?.[LABELS.instance] ?? '',
      [LABELS.volume]: volumeId,
      [LABELS.size]: String(size),
    };
    await this.#engine.call(
      (docker, abortSignal) => docker.createVolume({ Name: names.size(volumeId, size), Labels: labels, abortSignal }),
      { signal },
    );
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

/** GB, of a volume and what stands beside it to say how large it is. */
export function largest(volumes: readonly Pick<VolumeInspectInfo, 'Labels'>[]): number {
  return Math.max(...volumes.map(({ Labels }) => Number(Labels?.[LABELS.size] ?? 0)));
}
