import { clearFaults, troveNow, writeInstance } from '@trove/catalog';
import type { TaskStatusName } from '@trove/contracts';
import type { Step, TaskEnd, TaskKind } from '@trove/tasks';
import type { Transaction } from '../../guests/guest_keys.ts';
import { agreeKey, changePassword, injectedVersion, proveKey } from '../shared/agree_key.ts';
import { awaitAgent } from '../shared/await_agent.ts';
import { awaitServer } from '../shared/await_server.ts';
import { makePassword } from '../shared/guest_accounts.ts';
import { recordFailure } from '../shared/record_failure.ts';
import { taskValues } from '../shared/task_values.ts';
import type { TaskTools } from '../shared/tools.ts';
import { adoptKey, takeNewServer } from './adopt_key.ts';
import { REBUILD } from './file_rebuild.ts';
import { findServer, newKeyVersion, oldServer } from './find_server.ts';
import { makePendingKey } from './make_pending_key.ts';
import { isServing, postUpgrade } from './post_upgrade.ts';
import { preUpgrade } from './pre_upgrade.ts';
import { rebuildServer } from './rebuild_server.ts';
import { requireSilence } from './require_silence.ts';
import { dropSnapshot, leaveSnapshot, snapshotVolume } from './snapshot_volume.ts';
import { stopServer } from './stop_server.ts';

/**
 * The server is rebuilt around its volume, and agrees on a new key under the one in its files. Until the new one serves, each step can be taken back: then
 * volume, image, files and key are those of before, and the old server serves.
 */
export function upgradeInstance(tools: TaskTools): TaskKind {
  const own = { kind: 'upgrade_instance', codeVersion: 1, deadlineMs: 3_600_000 };
  return newServer(tools, own, [preUpgrade(tools), makePendingKey(tools)]);
}

/**
 * The same at the version that it has, for a guest that nobody can ask: a restored catalog has it in clear, and it has got a
 * key since. Its server is stopped instead, and the new one is given a key, whatever the switch says: the guest may have had
 * one.
 */
export function rebuildInstance(tools: TaskTools): TaskKind {
  return newServer(tools, REBUILD, [requireSilence(tools), makePendingKey(tools, { always: true })]);
}

/** @param before how the old server is taken leave of, and the key of the new one */
function newServer(
  tools: TaskTools,
  own: Pick<TaskKind, 'kind' | 'codeVersion' | 'deadlineMs'>,
  before: readonly Step[],
): TaskKind {
  const steps = [
    findServer(tools),
    ...before,
    makePassword(tools, (context) => newKeyVersion(context) !== undefined),
    stopServer(tools),
    snapshotVolume(tools),
    rebuildServer(tools),
    awaitServer(tools, (context) => oldServer(context).serverId),
    awaitAgent(tools, (context) => newKeyVersion(context) ?? 'clear'),
    agreeKey(tools, injectedVersion(tools, newKeyVersion)),
    proveKey(tools),
    changePassword(tools),
    postUpgrade(tools),
    adoptKey(tools),
    dropSnapshot(tools),
  ];
  return {
    ...own,
    compensationDeadlineMs: 1_800_000,
    steps: () => steps,
    async onDone(tx, end) {
      await settle(tx, end, 'NONE', 'ACTIVE');
      await clearFaults(tx, end.task.instanceId);
    },
    async onFailed(tx, end) {
      const serves = isServing(end);
      if (serves) await adoptNewServer(tx, end, tools);
      const whole = serves || end.left.length === 0;
      await settle(tx, end, whole ? 'NONE' : 'BUILDING_ERROR_SERVER', whole ? 'ACTIVE' : 'ERROR');
      await recordFailure(tx, end);
    },
    onCancelled: (tx, end) => settle(tx, end, 'NONE', 'ACTIVE'),
  };
}

/** The new server serves and nothing is taken back any more, however the task ends: the instance is what serves. */
async function adoptNewServer(tx: Transaction, end: TaskEnd, { keys }: TaskTools): Promise<void> {
  await takeNewServer(tx, end, keys);
  await leaveSnapshot(tx, end);
  keys.forget(end.task.instanceId);
}

/** What is shown is what serves: after a complete undo the old server, as before. */
async function settle(tx: Transaction, { task }: TaskEnd, name: TaskStatusName, serverStatus: string): Promise<void> {
  const values = { ...taskValues(name), task_start_time: null, server_status: serverStatus, updated: troveNow(tx) };
  await writeInstance(tx, { instanceId: task.instanceId, fence: task.fence, values });
}
