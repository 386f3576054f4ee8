import { InstanceListBody, ListInstancesQuery } from '@trove/contracts';
import type { Route } from '../../api_app.ts';
import { instanceSummary } from '../../views/instance.ts';
import { instancePage } from '../../work/instance_page.ts';
import { ProjectPath } from '../addresses.ts';
import { answers } from '../answers.ts';

/** `GET /instances`: the project's instances, a page at a time. */
export const listInstances: Route = (app, { deps }) => {
  const schema = { params: ProjectPath, querystring: ListInstancesQuery, response: answers(200, InstanceListBody) };
  app.get('/instances', { schema }, async (request) => {
    const page = await instancePage(deps, request, 'instance:index');
    return { instances: page.rows.map((row) => instanceSummary(request, row, deps.settings)), ...page.next };
  });
};
