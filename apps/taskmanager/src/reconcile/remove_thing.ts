import type { ComputeDriver, OwnedThing } from '@trove/compute';

/** Not there is success. */
export async function removeThing(
  compute: Pick<ComputeDriver, 'deleteServer' | 'deleteVolume' | 'deleteSnapshot'>,
  { kind, id }: Pick<OwnedThing, 'kind' | 'id'>,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  if (kind === 'server') await compute.deleteServer(id, signal);
  else if (kind === 'volume') await compute.deleteVolume(id, signal);
  else await compute.deleteSnapshot(id, signal);
}
