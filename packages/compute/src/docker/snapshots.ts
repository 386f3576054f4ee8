import { TroveError } from '@trove/common';
import { findContainer, makeContainer, removeContainer } from './containers.ts';
import { copyOptions, isCopied, makeCopy, waitForEnd } from './copies.ts';
import type { Engine } from './engine.ts';
import { idOn, names } from './ids.ts';
import { LABELS, type Labels, labelled } from './labels.ts';

/**
 * The snapshots of one host: volumes with a copy. One is whole when there is a container of its name, which is never
 * started and is there to say so; it also keeps the snapshot from whoever prunes volumes that nothing uses.
 */
export class HostSnapshots {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** The whole snapshot that this token made here; half a copy counts as none. */
  async find(token: string): Promise<string | undefined> {
    const id = idOn(this.#engine.host.name, 'snapshot', token);
    return (await this.isWhole(id)) ? id : undefined;
  }

  async isWhole(snapshotId: string): Promise<boolean> {
    return (await findContainer(this.#engine, names.whole(snapshotId))) !== undefined;
  }

  /** @param source the labels of the volume that is copied */
  async make(volumeId: string, source: Labels, token: string, signal: AbortSignal): Promise<string> {
    const id = idOn(this.#engine.host.name, 'snapshot', token);
    if (await this.isWhole(id)) return id;
    const labels = {
      [LABELS.deployment]: source[LABELS.deployment] ?? '',
      [LABELS.instance]: source[LABELS.instance] ?? '',
      [LABELS.token]: token,
      [LABELS.volume]: volumeId,
    };
    const [from, to] = [names.volume(volumeId), names.snapshot(id)];
    await this.#engine.call(
      (docker, abortSignal) =>
        docker.createVolume({ Name: to, Labels: { ...labels, [LABELS.kind]: 'snapshot' }, abortSignal }),
      { signal },
    );
    await makeCopy(this.#engine, { kind: 'snapshot', name: names.copy(id), from, to, labels }, signal);
    await this.#tellWhole(id, signal);
    return id;
  }

  async restore(volumeId: string, snapshotId: string, signal: AbortSignal): Promise<void> {
    if (!(await this.isWhole(snapshotId))) throw new TroveError('COMPUTE_ERROR', 'The snapshot is not there.');
    const name = names.restore(volumeId);
    const begun = await findContainer(this.#engine, name, signal);
    // One of another snapshot ends first, and then ours is done; one of ours is gone on with.
    if (begun !== undefined && begun.Config.Labels[LABELS.snapshot] !== snapshotId) {
      await waitForEnd(this.#engine, name, signal);
      await removeContainer(this.#engine, name, signal);
    }
    const [from, to] = [names.snapshot(snapshotId), names.volume(volumeId)];
    const labels = { [LABELS.volume]: volumeId, [LABELS.snapshot]: snapshotId };
    await makeCopy(this.#engine, { kind: 'restore', name, from, to, labels }, signal);
    await removeContainer(this.#engine, name, signal);
  }

  async remove(snapshotId: string, signal: AbortSignal): Promise<void> {
    for (const name of [names.copy(snapshotId), names.whole(snapshotId)])
      await removeContainer(this.#engine, name, signal);
    await this.#engine.find(
      (docker, abortSignal) => docker.getVolume(names.snapshot(snapshotId)).remove({ abortSignal }),
      { signal },
    );
  }

  /** Before a volume goes: copies that are not whole go with it, and those that are hold on to it no longer. */
  async letGo(volumeId: string, signal: AbortSignal): Promise<void> {
    await removeContainer(this.#engine, names.restore(volumeId), signal);
    const filters = labelled({ kind: 'snapshot', volume: volumeId });
    const { Volumes } = await this.#engine.call((docker, abortSignal) => docker.listVolumes({ filters, abortSignal }), {
      signal,
    });
    for (const { Labels } of Volumes ?? []) {
      const id = idOn(this.#engine.host.name, 'snapshot', Labels?.[LABELS.token] ?? '');
      if (await isCopied(this.#engine, names.copy(id))) await this.#tellWhole(id, signal);
      else if (!(await this.isWhole(id))) await this.remove(id, signal);
    }
  }

  async #tellWhole(id: string, signal: AbortSignal): Promise<void> {
    const copy = await findContainer(this.#engine, names.copy(id), signal);
    if (copy === undefined) return;
    const mounts = [{ source: names.snapshot(id), target: '/snapshot', readOnly: true }];
    const labels = { ...copy.Config.Labels, [LABELS.kind]: 'whole' };
    await makeContainer(this.#engine, copyOptions(names.whole(id), copy.Image, ':', mounts, labels), signal);
    await removeContainer(this.#engine, names.copy(id), signal);
  }
}
