import { clearFaults, settleGrowth, troveNow, writeInstance } from '@trove/catalog';
import type { TaskEnd, TaskKind } from '@trove/tasks';
import type { Transaction } from '../../guests/guest_keys.ts';
import { awaitAgent } from '../shared/await_agent.ts';
import { awaitServer } from '../shared/await_server.ts';
import { numberMember, objectMember, textMember } from '../shared/outputs.ts';
import { recordFailure } from '../shared/record_failure.ts';
import { taskValues } from '../shared/task_values.ts';
import type { TaskTools } from '../shared/tools.ts';
import { awaitServing } from './await_serving.ts';
import { FIND_SERVER, findServer, isSealed } from './find_server.ts';
import { resizeServer } from './resize_server.ts';

/**
 * The server under another flavor's limits; it is switched off for it, and its database with it. Until the database serves
 * again all of it can be taken back. The catalog says the new flavor from the moment on that the task is done.
 */
export function resizeFlavor(tools: TaskTools): TaskKind {
  const steps = [
    findServer(tools),
    resizeServer(tools),
    awaitServer(tools, (context) => textMember(context.outputs[FIND_SERVER], 'server_id')),
    awaitAgent(tools, (context) => (isSealed(context) ? 'active' : 'clear')),
    awaitServing(tools),
  ];
  return {
    kind: 'resize_flavor',
    codeVersion: 1,
    deadlineMs: 1_800_000,
    compensationDeadlineMs: 900_000,
    steps: () => steps,
    async onDone(tx, end) {
      await settle(tx, end, true, 'ACTIVE');
      await clearFaults(tx, end.task.instanceId);
    },
    async onFailed(tx, end) {
      await settle(tx, end, false, end.left.length === 0 ? 'ACTIVE' : 'ERROR');
      await recordFailure(tx, end);
    },
    onCancelled: (tx, end) => settle(tx, end, false, 'ACTIVE'),
  };
}

async function settle(tx: Transaction, { task }: TaskEnd, done: boolean, serverStatus: string): Promise<void> {
  const { projectId, instanceId, fence, params } = task;
  const [flavor, previous] = [objectMember(params, 'flavor'), objectMember(params, 'previous_flavor')];
  const change = { ram: numberMember(flavor, 'ram') - numberMember(previous, 'ram') };
  await settleGrowth(tx, { projectId, instanceId, change, done });
  const values = {
    ...taskValues('NONE'),
    ...(done && { flavor_id: textMember(flavor, 'id') }),
    task_start_time: null,
    server_status: serverStatus,
    updated: troveNow(tx),
  };
  await writeInstance(tx, { instanceId, fence, values });
}
