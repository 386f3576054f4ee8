import { existsSync } from 'node:fs';
import type { TaskRow, TaskStepRow } from '@trove/catalog';
import type { Ground } from './ground.ts';
import { FURTHER_STEP, markFile, WANTED_STEP } from './inside/later_release.ts';

type Marked = Pick<TaskStepRow, 'task_id' | 'name' | 'state'>;

/** Steps of later releases whose mark is not as the journal says, or that were left out of a task that has to have them. */
export async function strayMarks({ catalog, folder }: Pick<Ground, 'catalog' | 'folder'>): Promise<readonly string[]> {
  const steps: Marked[] = await catalog.knex<TaskStepRow>('task_steps').select('task_id', 'name', 'state');
  const further = steps.filter(({ name }) => FURTHER_STEP.test(name));
  const astray = further.filter(({ task_id, name, state }) => {
    const isThere = existsSync(markFile(folder, task_id, name));
    return (state === 'done' && !isThere) || (state === 'undone' && isThere);
  });
  const done = await catalog
    .knex<TaskRow>('tasks')
    .where({ state: 'done' })
    .whereIn('kind', ['create_instance', 'delete_instance'])
    .select('id', 'kind', 'code_version');
  const short = done.filter(
    ({ id, code_version }) =>
      steps.filter(({ task_id, name, state }) => task_id === id && state === 'done' && WANTED_STEP.test(name))
        .length !==
      code_version - 1,
  );
  return [
    ...astray.map(({ task_id, name, state }) => `${name} of task ${task_id} is ${state}, and its mark says otherwise`),
    ...short.map(({ id, kind, code_version }) => `${kind} ${id} is done without all steps of version ${code_version}`),
  ];
}

/** How many tasks of each kind and version there were, and how often one was put down by a service that did not know it. */
export async function tasksByRelease({ catalog, servicesOf }: Ground): Promise<readonly string[]> {
  const rows: { kind: string; code_version: number; count: number | string }[] = await catalog
    .knex('tasks')
    .groupBy('kind', 'code_version')
    .orderBy(['kind', 'code_version'])
    .select('kind', 'code_version')
    .count({ count: '*' });
  const said = servicesOf('taskmanager').map((service) => service.said());
  const lines = (start: string): number =>
    said.reduce((sum, text) => sum + text.split(`"message":"${start}`).length - 1, 0);
  return [
    ...rows.map(({ kind, code_version, count }) => `${count} × ${kind}, version ${code_version}`),
    `${lines('task parked: ')} put down for a step that was not known, ${lines('tasks parked: ')} lines say that some stand still`,
  ];
}
