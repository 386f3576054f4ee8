import type { Knex } from 'knex';
import type { TaskRow, TaskStepRow } from '../tables.ts';

/** Sets these members of a task's params, and these steps' outputs, to null: a task that has ended needs no password any more. */
export async function eraseTaskSecrets(
  tx: Knex.Transaction,
  args: { taskId: string; params?: readonly string[]; outputs?: readonly string[] },
): Promise<void> {
  const row = await tx<TaskRow>('tasks').where({ id: args.taskId }).first('params');
  const members = args.params ?? [];
  if (row !== undefined && members.length > 0) {
    const params: Record<string, unknown> = JSON.parse(row.params);
    for (const member of members) if (member in params) params[member] = null;
    await tx<TaskRow>('tasks')
      .where({ id: args.taskId })
      .update({ params: JSON.stringify(params) });
  }
  if (args.outputs?.length) {
    await tx<TaskStepRow>('task_steps')
      .where({ task_id: args.taskId })
      .whereIn('name', [...args.outputs])
      .update({ output: null });
  }
}
