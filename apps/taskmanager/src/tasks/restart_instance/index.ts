import {
  clearFaults,
  type InstanceRow,
  type ServiceStatusRow,
  troveNow,
  writeInstance,
  writeServiceStatus,
} from '@trove/catalog';
import { SERVICE_STATUSES } from '@trove/contracts';
import type { Step, TaskEnd, TaskKind } from '@trove/tasks';
import type { Transaction } from '../../guests/guest_keys.ts';
import { callOnce } from '../shared/call_once.ts';
import { numberMember } from '../shared/outputs.ts';
import { recordFailure } from '../shared/record_failure.ts';
import { serves } from '../shared/service_verdict.ts';
import { taskValues } from '../shared/task_values.ts';
import { CATALOG_TIMEOUT_MS, PERSISTENT_RETRY, SLICE_TIMEOUT_MS, type TaskTools } from '../shared/tools.ts';
import { UNTIL_SEEN } from '../shared/waits.ts';

const REPORTS_TO_WAIT_FOR = 2;

/** The guest restarts its database. The instance is free again however it ends; what went wrong stands in its fault. */
export function restartInstance(tools: TaskTools): TaskKind {
  const steps = [restartGuest(tools), awaitReport(tools)];
  return {
    kind: 'restart_instance',
    codeVersion: 1,
    deadlineMs: 600_000,
    compensationDeadlineMs: 60_000,
    steps: () => steps,
    async onDone(tx, end) {
      await settle(tx, end);
      await clearFaults(tx, end.task.instanceId);
    },
    async onFailed(tx, end) {
      await settle(tx, end);
      await recordFailure(tx, end);
    },
    onCancelled: (tx, end) => settle(tx, end),
  };
}

function restartGuest(tools: TaskTools): Step {
  return {
    name: 'restart_guest',
    timeoutMs: SLICE_TIMEOUT_MS,
    retry: PERSISTENT_RETRY,
    async run(context) {
      const { instanceId } = context.task;
      const row = await tools.catalog.knex<InstanceRow>('instances').where({ id: instanceId }).first('rpc_policy');
      // Before the first try only: what is reported after it is what is waited for.
      if (context.noted === undefined)
        await context.fenced((tx) => writeServiceStatus(tx, { instanceId, status: SERVICE_STATUSES.RESTARTING }));
      const answer = await callOnce(tools, context, { method: 'restart', args: {}, sealed: row?.rpc_policy === 2 });
      if ('wait' in answer) return { wait: { ...answer.wait, progress: 'the guest is restarting its database' } };
      return { done: { answered_at: tools.clock.now() } };
    },
    undo: async () => {},
  };
}

/** The answer says that the database serves; the next report says it to the tenant. A missing report is no failure. */
function awaitReport({ catalog, settings, clock }: TaskTools): Step {
  return {
    name: 'await_report',
    timeoutMs: CATALOG_TIMEOUT_MS,
    retry: PERSISTENT_RETRY,
    async run(context) {
      const { instanceId } = context.task;
      const row = await catalog
        .knex<ServiceStatusRow>('service_statuses')
        .where({ instance_id: instanceId })
        .first('status_description');
      const waitedMs = clock.now() - numberMember(context.outputs['restart_guest'], 'answered_at');
      const healthy = serves(row?.status_description);
      if (healthy || waitedMs > REPORTS_TO_WAIT_FOR * settings.reportIntervalMs) return { done: { healthy } };
      return { wait: { ...UNTIL_SEEN, progress: 'the guest has not reported yet' } };
    },
    undo: async () => {},
  };
}

async function settle(tx: Transaction, { task }: TaskEnd): Promise<void> {
  const values = { ...taskValues('NONE'), task_start_time: null, updated: troveNow(tx) };
  await writeInstance(tx, { instanceId: task.instanceId, fence: task.fence, values });
}
