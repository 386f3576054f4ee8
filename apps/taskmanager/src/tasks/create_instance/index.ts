import { clearFaults, commitQuota, troveNow, writeInstance, writeServiceStatus } from '@trove/catalog';
import { SERVICE_STATUSES, type TaskStatusName } from '@trove/contracts';
import type { TaskEnd, TaskKind } from '@trove/tasks';
import type { Transaction } from '../../guests/guest_keys.ts';
import { adoptProvenKey } from '../shared/adopt_key.ts';
import { agreeKey, changePassword, injectedVersion, proveKey } from '../shared/agree_key.ts';
import { awaitAgent } from '../shared/await_agent.ts';
import { awaitServer } from '../shared/await_server.ts';
import { failedStep } from '../shared/failed_step.ts';
import { makePassword } from '../shared/guest_accounts.ts';
import { textMember } from '../shared/outputs.ts';
import { recordFailure } from '../shared/record_failure.ts';
import { taskValues } from '../shared/task_values.ts';
import type { TaskTools } from '../shared/tools.ts';
import { awaitHealthy } from './await_healthy.ts';
import { buildError } from './build_error.ts';
import { createServer } from './create_server.ts';
import { createVolume } from './create_volume.ts';
import { declareGuest, firstKeyVersion, isKeyed } from './declare_guest.ts';
import { makeKey } from './make_key.ts';
import { prepare } from './prepare.ts';

/**
 * Key, queue, volume, server, agent, database: in this order, so that whoever can be spoken to can be spoken to under its key.
 * The key in the server's files is good for agreeing on another; what the database is told goes under that one.
 */
export function createInstance(tools: TaskTools): TaskKind {
  const steps = [
    makeKey(tools),
    makePassword(tools, isKeyed),
    declareGuest(tools),
    createVolume(tools),
    createServer(tools),
    awaitServer(tools, (context) => textMember(context.outputs['create_server'], 'server_id')),
    awaitAgent(tools, (context) => firstKeyVersion(context) ?? 'clear'),
    agreeKey(tools, injectedVersion(tools, firstKeyVersion)),
    proveKey(tools),
    adoptProvenKey(tools),
    changePassword(tools),
    prepare(tools),
    awaitHealthy(tools),
  ];
  const names = steps.map((step) => step.name);
  return {
    kind: 'create_instance',
    codeVersion: 1,
    deadlineMs: 1_800_000,
    compensationDeadlineMs: 600_000,
    steps: () => steps,
    async onDone(tx, end) {
      await settle(tx, end, 'NONE', 'ACTIVE');
      await clearFaults(tx, end.task.instanceId);
    },
    async onFailed(tx, end) {
      await settle(tx, end, buildError(failedStep(names, end.outputs)), null);
      await writeServiceStatus(tx, {
        instanceId: end.task.instanceId,
        status: SERVICE_STATUSES.FAILED_TIMEOUT_GUESTAGENT,
      });
      await recordFailure(tx, end);
    },
    async onCancelled(tx, end) {
      await settle(tx, end, 'BUILDING', null);
    },
  };
}

/** In the order in which rows are locked everywhere: quota, instance, task. The instance holds its quota until it is deleted. */
async function settle(
  tx: Transaction,
  { task }: TaskEnd,
  name: TaskStatusName,
  serverStatus: string | null,
): Promise<void> {
  const { instanceId, projectId, fence } = task;
  await commitQuota(tx, { projectId, instanceId });
  const values = { ...taskValues(name), task_start_time: null, server_status: serverStatus, updated: troveNow(tx) };
  await writeInstance(tx, { instanceId, fence, values });
}
