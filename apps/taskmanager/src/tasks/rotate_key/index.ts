import { clearFaults, type InstanceRow } from '@trove/catalog';
import { TroveError } from '@trove/common';
import type { TaskKind } from '@trove/tasks';
import { adoptProvenKey } from '../shared/adopt_key.ts';
import { agreeKey, changePassword, proveKey, provenVersion, type Under } from '../shared/agree_key.ts';
import { recordFailure } from '../shared/record_failure.ts';
import type { TaskTools } from '../shared/tools.ts';
import { isPasswordOnly, ROTATION } from './file_rotation.ts';

/**
 * Another key for an instance that goes on serving. Until the guest has proven it the old one holds; from then on the new one
 * does, and the task only goes forward, in whichever way it ends.
 */
export function rotateKey(tools: TaskTools): TaskKind {
  const { keys } = tools;
  const steps = [agreeKey(tools, activeVersion(tools)), proveKey(tools), adoptProvenKey(tools), changePassword(tools)];
  const passwordOnly = [changePassword(tools, activeVersion(tools))];
  return {
    ...ROTATION,
    compensationDeadlineMs: 60_000,
    steps: (task) => (isPasswordOnly(task) ? passwordOnly : steps),
    // No tenant has asked for it: what it does not concern stays to be seen.
    onDone: (tx, { task }) => clearFaults(tx, task.instanceId, task.kind),
    async onFailed(tx, end) {
      const { instanceId, fence } = end.task;
      const version = provenVersion(end);
      if (version !== undefined) await keys.activate(tx, { instanceId, fence, version });
      keys.forget(instanceId);
      await recordFailure(tx, end);
    },
    onCancelled: async () => {},
  };
}

function activeVersion({ catalog, keys }: TaskTools): Under {
  return async ({ task: { instanceId } }) => {
    const { knex } = catalog;
    const row = await knex<InstanceRow>('instances').where({ id: instanceId }).first('rpc_policy');
    const version = row?.rpc_policy === 2 ? await keys.activeVersion(knex, instanceId) : null;
    if (version === null || (await keys.isBootstrap(instanceId, version)))
      throw new TroveError('UNPROCESSABLE', `Instance ${instanceId} has no key that could be changed: upgrade it.`);
    return version;
  };
}
