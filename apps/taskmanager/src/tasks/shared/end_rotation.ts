import { isTroveError } from '@trove/common';
import type { StepContext } from '@trove/tasks';
import type { TaskTools } from './tools.ts';

const ANSWER_WITHIN_MS = 5000;

/**
 * Before a guest is asked under its active key: where a rotation was given up, it may have changed to the next one, and then
 * hears nothing under this one. A guest that answers a `hello` under the next key holds it from then on, and it becomes the
 * instance's; one that does not answer is asked under the active one, or is not there.
 */
export async function endRotation(tools: TaskTools, context: StepContext): Promise<void> {
  const { hello, keys, settings } = tools;
  const { instanceId, fence } = context.task;
  const version = await keys.leftVersion(instanceId);
  if (version === null) return;
  try {
    const deadlineMs = Math.min(settings.lowMs, ANSWER_WITHIN_MS);
    if (!(await hello.greet(instanceId, { keyVersion: version, deadlineMs }))) return;
  } catch (error) {
    if (isTroveError(error, 'GUEST_TIMEOUT')) return;
    throw error;
  }
  await context.fenced((tx) => keys.activate(tx, { instanceId, fence, version }));
  keys.forget(instanceId);
  context.logger.info("a guest had changed its key in a rotation that was given up: it is the instance's now", {
    version,
  });
}
