import { isTroveError, TroveError } from '@trove/common';
import { SERVICE_STATUSES } from '@trove/contracts';
import type { Step, StepContext, StepResult } from '@trove/tasks';
import { askGuest } from '../shared/ask_guest.ts';
import { serviceStatus } from '../shared/last_heard.ts';
import { textMember } from '../shared/outputs.ts';
import { judgeBuild } from '../shared/service_verdict.ts';
import { PERSISTENT_RETRY, SLICE_TIMEOUT_MS, type TaskTools } from '../shared/tools.ts';
import { SOON, UNTIL_REPORTED } from '../shared/waits.ts';
import { isKeyed } from './declare_guest.ts';
import { askToPrepare } from './prepare.ts';
import { seeToItsBeginning } from './see_to_its_beginning.ts';

/** Waits until the database serves: a sealed guest is asked for the outcome, a legacy one says it in its heartbeats. */
export function awaitHealthy(tools: TaskTools): Step {
  return {
    name: 'await_healthy',
    timeoutMs: SLICE_TIMEOUT_MS,
    retry: PERSISTENT_RETRY,
    run: (context) => (isKeyed(context) ? askOutcome(tools, context) : readHeartbeats(tools, context)),
    undo: async () => {},
  };
}

const WAIT: StepResult = { wait: { ...UNTIL_REPORTED, progress: 'the guest is making its database' } };

async function askOutcome(tools: TaskTools, context: StepContext): Promise<StepResult> {
  const idempotencyKey = textMember(context.outputs['prepare'], 'idempotency_key');
  const { instanceId } = context.task;
  const args = { idempotency_key: idempotencyKey };
  const outcome = await askGuest(tools, context, async (deadlineMs) => {
    try {
      const told = await tools.guests.call(instanceId, 'get_outcome', args, { deadlineMs, signal: context.signal });
      return told.state === 'started' ? undefined : told;
    } catch (error) {
      if (!isTroveError(error, 'STALE_BOOT')) throw error;
      await tools.hello.greet(instanceId, { deadlineMs });
      return 'greeted';
    }
  });
  if (outcome === undefined) return context.noted === undefined ? { wait: SOON } : WAIT;
  if (outcome === 'greeted') return { wait: SOON };
  if (outcome.state === 'done') return { done: { healthy: true } };
  if (outcome.state === 'failed')
    throw new TroveError('COMPUTE_ERROR', outcome.error?.message ?? 'The guest failed to make its database.');
  if (outcome.state === 'unknown') await askToPrepare(tools, context, idempotencyKey);
  return { wait: SOON };
}

async function readHeartbeats(tools: TaskTools, context: StepContext): Promise<StepResult> {
  const status = await serviceStatus(tools, context.task.instanceId);
  const verdict = judgeBuild(status);
  if (verdict === 'failed') throw new TroveError('COMPUTE_ERROR', `The guest reported "${status}".`);
  if (verdict === 'ready') return { done: { healthy: true } };
  if (status === SERVICE_STATUSES.NEW.description) await seeToItsBeginning(tools, context);
  return WAIT;
}
