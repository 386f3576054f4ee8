import { clearFaults, troveNow, writeInstance } from '@trove/catalog';
import type { TaskStatusName } from '@trove/contracts';
import type { TaskEnd, TaskKind } from '@trove/tasks';
import type { Transaction } from '../../guests/guest_keys.ts';
import { agreeKey, changePassword, injectedVersion, proveKey } from '../shared/agree_key.ts';
import { awaitAgent } from '../shared/await_agent.ts';
import { awaitServer } from '../shared/await_server.ts';
import { makePassword } from '../shared/guest_accounts.ts';
import { recordFailure } from '../shared/record_failure.ts';
import { taskValues } from '../shared/task_values.ts';
import type { TaskTools } from '../shared/tools.ts';
import { adoptKey, takeNewServer } from './adopt_key.ts';
import { findServer, newKeyVersion, oldServer } from './find_server.ts';
import { makePendingKey } from './make_pending_key.ts';
import { isServing, postUpgrade } from './post_upgrade.ts';
import { preUpgrade } from './pre_upgrade.ts';
import { rebuildServer } from './rebuild_server.ts';
import { dropSnapshot, leaveSnapshot, snapshotVolume } from './snapshot_volume.ts';
import { stopServer } from './stop_server.ts';

/**
 * The server is rebuilt around its volume, and agrees on a new key under the one in its files. Until the new one serves, each step can be taken back: then
 * volume, image, files and key are those of before, and the old server serves.
 */
export function upgradeInstance(tools: TaskTools): TaskKind {
  const steps = [
    findServer(tools),
    preUpgrade(tools),
    makePendingKey(tools),
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
    kind: 'upgrade_instance',
    codeVersion: 1,
    deadlineMs: 3_600_000,
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
