import {
  type Catalog,
  isServerKnown,
  lockInstance,
  readDatastoreVersion,
  setInstanceTask,
  withTransaction,
} from '@trove/catalog';
import { TroveError } from '@trove/common';
import { fileTask } from '@trove/tasks';

/** What the kind and those who file it have in common. */
export const REBUILD = { kind: 'rebuild_instance', codeVersion: 1, deadlineMs: 3_600_000 } as const;

/**
 * Asks for a new server around an instance's volume, at the version that it has, whose guest cannot be asked; resolves with
 * the task's id. For an instance that the catalog has in clear: a sealed one is upgraded, which does not wait for its guest.
 * `NOT_FOUND` where there is no such instance, `UNPROCESSABLE` where it is sealed, has no server that is ours, or another task
 * has it.
 */
export function fileRebuild(catalog: Catalog, instanceId: string): Promise<string> {
  return withTransaction(catalog, async (tx) => {
    const row = await lockInstance(tx, instanceId);
    if (row === undefined) throw new TroveError('NOT_FOUND', `Instance ${instanceId} cannot be found.`);
    const refuse = (why: string): TroveError => new TroveError('UNPROCESSABLE', `Instance ${instanceId} ${why}`);
    if (row.rpc_policy === 2) throw refuse('has a key: upgrade it, which does not wait for a guest that is silent.');
    if (row.compute_instance_id === null) throw refuse('has no server.');
    if (!(await isServerKnown(tx, row))) throw refuse('has a server that is not known to the compute driver.');
    const versionId = row.datastore_version_id;
    const version = versionId === null ? undefined : await readDatastoreVersion(tx, versionId);
    if (version === undefined) throw refuse('has a datastore version that is not in the catalog.');
    const imageId = version.image_id;
    if (imageId === null) throw refuse('has a datastore version without an image.');
    const params = {
      datastore_version_id: version.id,
      datastore_version: version.version ?? version.name ?? '',
      datastore_manager: version.manager ?? '',
      image_id: imageId,
      previous: { datastore_version_id: version.id, image_id: imageId },
    };
    const filed = await fileTask(tx, { ...REBUILD, instanceId, projectId: row.tenant_id ?? '', params });
    await setInstanceTask(tx, instanceId, 'UPGRADING');
    return filed.taskId;
  });
}
