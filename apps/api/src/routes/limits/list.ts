import { readLimits } from '@trove/catalog';
import { LimitListBody } from '@trove/contracts';
import { enforce } from '@trove/identity';
import type { Route } from '../../api_app.ts';
import { callerOfRequest } from '../../plugins/authentication.ts';
import { ProjectPath } from '../addresses.ts';
import { answers } from '../answers.ts';

/** `GET /limits`: what the project may have at most. There are no rates to tell, since requests are not counted. */
export const listLimits: Route = (app, { deps }) => {
  const schema = { params: ProjectPath, response: answers(200, LimitListBody) };
  app.get('/limits', { schema }, async (request) => {
    const caller = callerOfRequest(request);
    const { projectId } = caller;
    enforce('limits:index', caller, projectId);
    const { instances, ram, backups, volumes } = await readLimits(deps.catalog.knex, {
      projectId,
      defaults: deps.settings.quotas,
    });
    const absolute = { max_instances: instances, max_ram: ram, max_backups: backups, max_volumes: volumes };
    return { limits: [{ verb: 'ABSOLUTE' as const, ...absolute }] };
  });
};
