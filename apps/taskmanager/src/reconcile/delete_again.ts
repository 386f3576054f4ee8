import { type Catalog, failedDeletes, lockInstance, withTransaction } from '@trove/catalog';
import { fileDelete } from '@trove/tasks';
import { DELETE } from '../tasks/delete_instance/index.ts';

/** Files the delete anew that was accepted and has failed. False where the instance is gone, or somebody works on it. */
export async function deleteAgain(catalog: Catalog, instanceId: string): Promise<boolean> {
  return await withTransaction(catalog, async (tx) => {
    const row = await lockInstance(tx, instanceId);
    if (row === undefined || (await failedDeletes(tx, instanceId)).length === 0) return false;
    await fileDelete(tx, { ...DELETE, instanceId, projectId: row.tenant_id ?? '', params: {} });
    return true;
  });
}
