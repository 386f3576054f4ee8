import { setTimeout as delay } from 'node:timers/promises';
import type { Catalog, TaskRow } from '@trove/catalog';
import { CliError, EXIT } from '../exit.ts';

const LOOK_EVERY_MS = 500;

/** Until the task is done. Rejects where it ends otherwise, with what its tenant sees of it. */
export async function waitForTask({ knex }: Catalog, taskId: string): Promise<void> {
  for (;;) {
    const task = await knex<TaskRow>('tasks').where({ id: taskId }).first('state', 'error');
    if (task?.state === 'done') return;
    if (task === undefined || task.state === 'failed' || task.state === 'cancelled') {
      const { message = 'It was cancelled.' }: { message?: string } = JSON.parse(task?.error ?? '{}');
      throw new CliError(EXIT.refused, `Task ${taskId} did not end well: ${message}`);
    }
    await delay(LOOK_EVERY_MS);
  }
}
