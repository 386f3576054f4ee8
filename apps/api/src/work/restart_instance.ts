import { lockInstance, readInstance, setInstanceTask, writeServiceStatus } from '@trove/catalog';
import { TroveError } from '@trove/common';
import { SERVICE_STATUSES } from '@trove/contracts';
import { type FiledTask, fileTask } from '@trove/tasks';
import type { FastifyRequest } from 'fastify';
import type { ApiDeps } from '../deps.ts';
import { unavailability } from '../status.ts';
import { earlierTask, inFilingTransaction, repeatOf } from './filing.ts';
import { instanceNotFound, type instanceOfCaller } from './instance_of_caller.ts';
import { TASK_PLANS } from './task_plans.ts';
import { busyText } from './upgrade_instance.ts';

/** Files a restart of the instance's database. */
export async function restartInstance(
  deps: ApiDeps,
  request: FastifyRequest,
  instance: Awaited<ReturnType<typeof instanceOfCaller>>,
): Promise<FiledTask> {
  const task = {
    ...TASK_PLANS.restart_instance,
    ...repeatOf(deps, request),
    instanceId: instance.id,
    projectId: instance.tenant_id,
    params: {},
  };
  return await inFilingTransaction(deps, async (tx) => {
    await lockInstance(tx, instance.id);
    const earlier = await earlierTask(tx, instance.tenant_id, task);
    if (earlier) return earlier;
    const row = await readInstance(tx, instance.id);
    if (row === undefined) throw instanceNotFound(instance.id);
    if (row.compute_instance_id === null)
      throw new TroveError('UNPROCESSABLE', `Instance ${instance.id} has no server.`);
    const reason = unavailability(row, deps.settings.heartbeatExpirySeconds);
    if (reason) throw new TroveError('UNPROCESSABLE', busyText(instance.id, reason.kind, reason.status));
    const filed = await fileTask(tx, task);
    await setInstanceTask(tx, instance.id, 'REBOOTING');
    await writeServiceStatus(tx, { instanceId: instance.id, status: SERVICE_STATUSES.RESTARTING });
    return filed;
  });
}
