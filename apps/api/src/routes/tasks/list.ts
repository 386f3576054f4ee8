import { listTasks } from '@trove/catalog';
import { ListPageQuery, TaskListBody } from '@trove/contracts';
import type { Route } from '../../api_app.ts';
import { nextLink, pageLimit } from '../../paging.ts';
import { taskView } from '../../views/task.ts';
import { instanceOnceOfCaller } from '../../work/instance_of_caller.ts';
import { checkStorable } from '../../work/names.ts';
import { InstancePath } from '../addresses.ts';
import { answers } from '../answers.ts';

/** `GET /instances/{id}/tasks`: what is and was done to it, the newest first; also after it is gone. */
export const listInstanceTasks: Route = (app, { deps }) => {
  const schema = { params: InstancePath, querystring: ListPageQuery, response: answers(200, TaskListBody) };
  app.get('/instances/:instance_id/tasks', { schema }, async (request) => {
    const instanceId = await instanceOnceOfCaller(deps, request, request.params.instance_id);
    const { limit: wanted, marker } = request.query;
    if (marker !== undefined) checkStorable('marker', marker);
    const limit = pageLimit(wanted, deps.settings.pageSizes.instances);
    const found = await listTasks(deps.catalog.knex, { instanceId, limit: limit + 1, marker });
    const rows = found.slice(0, limit);
    const last = rows.at(-1);
    const next = found.length > limit && last ? { links: nextLink(request, limit, last.id) } : {};
    return { tasks: rows.map(taskView), ...next };
  });
};
