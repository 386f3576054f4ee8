import { isServerKnown, lockInstance, replicasOf, setInstanceTask } from '@trove/catalog';
import { TroveError } from '@trove/common';
import { type FiledTask, fileDelete } from '@trove/tasks';
import type { FastifyRequest } from 'fastify';
import type { ApiDeps } from '../deps.ts';
import { inFilingTransaction, repeatOf } from './filing.ts';
import { instanceNotFound, type instanceOfCaller } from './instance_of_caller.ts';
import { TASK_PLANS } from './task_plans.ts';
import { unknownServer } from './upgrade_instance.ts';

/** Files the delete; a task that runs on the instance, its build too, is asked to stop first. A second delete finds the first one's task. */
export async function deleteInstance(
  deps: ApiDeps,
  request: FastifyRequest,
  instance: Awaited<ReturnType<typeof instanceOfCaller>>,
): Promise<FiledTask> {
  const task = {
    ...TASK_PLANS.delete_instance,
    ...repeatOf(deps, request),
    instanceId: instance.id,
    projectId: instance.tenant_id,
    params: {},
  };
  return await inFilingTransaction(deps, async (tx) => {
    const row = await lockInstance(tx, instance.id);
    if (row === undefined) throw instanceNotFound(instance.id);
    if (row.cluster_id !== null)
      throw new TroveError('NOT_IMPLEMENTED', 'A member of a cluster cannot be deleted by itself.');
    if ((await replicasOf(tx, instance.id)).length > 0) {
      throw new TroveError('FORBIDDEN', `Instance ${instance.id} has replicas; delete or detach them first.`);
    }
    if (!(await isServerKnown(tx, row))) throw unknownServer(instance.id);
    const filed = await fileDelete(tx, task);
    if (!filed.repeated) await setInstanceTask(tx, instance.id, 'DELETING', { configuration_id: null });
    return filed;
  });
}
