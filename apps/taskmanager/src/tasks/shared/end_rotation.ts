import { isTroveError } from '@trove/common';
import type { StepContext } from '@trove/tasks';
import type { TaskTools } from './tools.ts';

/**
 * Before a guest is asked under its active key: where a rotation was given up, it may have changed to the next one, and then
 * hears nothing under this one. A guest that answers a `hello` under the next key holds it from then on, and it becomes the
 * instance's; one that does not answer is asked under the active one, or is not there. Resolves to false where it did not
 * answer.
 */
export async function endRotation(tools: TaskTools, context: StepContext, deadlineMs: number): Promise<boolean> {
  const { hello, keys } = tools;
  const { instanceId, fence } = context.task;
  const version = await keys.leftVersion(instanceId);
  if (version === null) return true;
  try {
    if (!(await hello.greet(instanceId, { keyVersion: version, deadlineMs }))) return true;
  } catch (error) {
    if (isTroveError(error, 'GUEST_TIMEOUT')) return false;
    throw error;
  }
  await context.fenced((tx) => keys.activate(tx, { instanceId, fence, version }));
  keys.forget(instanceId);
  context.logger.info("a guest had changed its key in a rotation that was given up: it is the instance's now", {
    version,
  });
  return true;
}
