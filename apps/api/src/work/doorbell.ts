import type { Logger } from '@trove/common';
import type { CallContext, TaskmanagerClient } from '@trove/crypto-rpc';

export interface Doorbell {
  /** Tells the taskmanagers of a filed task, without waiting: one that is not heard costs a poll interval. */
  ring(taskId: string, context: CallContext): void;
  /** Resolves when every ring was taken or lost. */
  settled(): Promise<void>;
}

export function createDoorbell(taskmanager: Pick<TaskmanagerClient, 'cast'>, logger: Logger): Doorbell {
  const ringing = new Set<Promise<void>>();
  return {
    ring: (taskId, context) => {
      const ring = taskmanager
        .cast('run_task', { task_id: taskId }, { context })
        .catch((error: unknown) =>
          logger.info('a doorbell was not heard; the task waits for the next poll', { task_id: taskId, error }),
        )
        .finally(() => ringing.delete(ring));
      ringing.add(ring);
    },
    settled: async () => {
      await Promise.allSettled(ringing);
    },
  };
}
