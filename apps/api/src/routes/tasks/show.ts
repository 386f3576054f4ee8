import { readTask } from '@trove/catalog';
import { TroveError } from '@trove/common';
import { TaskBody } from '@trove/contracts';
import type { Route } from '../../api_app.ts';
import { taskView } from '../../views/task.ts';
import { instanceOnceOfCaller } from '../../work/instance_of_caller.ts';
import { TaskPath } from '../addresses.ts';
import { answers } from '../answers.ts';

/** `GET /instances/{id}/tasks/{task_id}` */
export const showInstanceTask: Route = (app, { deps }) => {
  const schema = { params: TaskPath, response: answers(200, TaskBody) };
  app.get('/instances/:instance_id/tasks/:task_id', { schema }, async (request) => {
    const { instance_id, task_id: taskId } = request.params;
    const instanceId = await instanceOnceOfCaller(deps, request, instance_id);
    const row = await readTask(deps.catalog.knex, { instanceId, taskId });
    if (row === undefined) throw new TroveError('NOT_FOUND', `Resource ${taskId.slice(0, 255)} cannot be found.`);
    return { task: taskView(row) };
  });
};
