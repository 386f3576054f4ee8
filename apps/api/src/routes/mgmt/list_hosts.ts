import { listHosts as readHosts } from '@trove/catalog';
import { HostListBody } from '@trove/contracts';
import { enforce } from '@trove/identity';
import type { Route } from '../../api_app.ts';
import { callerOfRequest } from '../../plugins/authentication.ts';
import { ProjectPath } from '../addresses.ts';
import { answers } from '../answers.ts';

/** `GET /mgmt/hosts`, for admins: as taskmanagers last saw them. */
export const listHosts: Route = (app, { deps }) => {
  const schema = { params: ProjectPath, response: answers(200, HostListBody) };
  app.get('/mgmt/hosts', { schema }, async (request) => {
    enforce('context_is_admin', callerOfRequest(request), request.params.project_id);
    const hosts = await readHosts(deps.catalog.knex);
    return { hosts: hosts.map(({ name, servers }) => ({ name, instanceCount: servers })) };
  });
};
