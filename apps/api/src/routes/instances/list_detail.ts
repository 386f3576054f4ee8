import { InstanceDetailListBody, ListInstancesQuery } from '@trove/contracts';
import type { Route } from '../../api_app.ts';
import { instanceDetail } from '../../views/instance.ts';
import { instancePage } from '../../work/instance_page.ts';
import { ProjectPath } from '../addresses.ts';
import { answers } from '../answers.ts';

/** `GET /instances/detail`: the same list with everything but the volume's figures. */
export const listInstanceDetails: Route = (app, { deps }) => {
  const schema = {
    params: ProjectPath,
    querystring: ListInstancesQuery,
    response: answers(200, InstanceDetailListBody),
  };
  app.get('/instances/detail', { schema }, async (request) => {
    const page = await instancePage(deps, request, 'instance:detail');
    return { instances: page.rows.map((row) => instanceDetail(request, row, deps.settings)), ...page.next };
  });
};
