import type { Knex } from 'knex';
import type { TaskRow } from '../tables.ts';

/** Puts a filed task's parameters in place of those it was filed with, in the transaction that filed it. */
export async function replaceTaskParams(tx: Knex.Transaction, taskId: string, params: object): Promise<void> {
  await tx<TaskRow>('tasks')
    .where({ id: taskId, state: 'pending' })
    .update({ params: JSON.stringify(params) });
}
