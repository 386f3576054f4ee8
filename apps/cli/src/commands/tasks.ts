import type { Command } from 'commander';
import { onceInstanceId } from '../lookup.ts';
import type { Session } from '../session.ts';
import { asArray, asObject, type PageOptions } from '../trove_client.ts';
import { STEP_COLUMNS, TASK_COLUMNS, taskProperties } from '../views.ts';

/** What is and was done to an instance. */
export function addTasks(program: Command, session: Session): void {
  program
    .command('task-list')
    .description('list the tasks of an instance, the newest first')
    .argument('<instance>', 'id or name; of an instance that is gone its id')
    .option('--limit <count>', 'one page of at most this many')
    .option('--marker <id>', 'begin after this task')
    .action(async (idOrName: string, page: PageOptions) => {
      const client = session.client();
      const id = await onceInstanceId(client, idOrName);
      session.printList(await client.list(`/instances/${id}/tasks`, 'tasks', page), TASK_COLUMNS);
    });
  program
    .command('task-show')
    .description('show a task with its steps')
    .argument('<instance>', 'id or name; of an instance that is gone its id')
    .argument('<task>', 'its id')
    .action(async (idOrName: string, taskId: string) => {
      const client = session.client();
      const id = await onceInstanceId(client, idOrName);
      const task = asObject((await client.get(`/instances/${id}/tasks/${encodeURIComponent(taskId)}`)).task);
      const items = asArray(task.steps).map(asObject);
      session.printOne(task, taskProperties(task), items.length === 0 ? undefined : { items, columns: STEP_COLUMNS });
    });
}
