import { listDatastores as readDatastores } from '@trove/catalog';
import { DatastoreListBody } from '@trove/contracts';
import { isAdmin } from '@trove/identity';
import type { Route } from '../../api_app.ts';
import { callerOfRequest } from '../../plugins/authentication.ts';
import { datastoreView } from '../../views/datastore.ts';
import { activeVersions } from '../../work/visible_datastores.ts';
import { ProjectPath } from '../addresses.ts';
import { answers } from '../answers.ts';

/** `GET /datastores`: those with an active version; an admin sees all, with every version. */
export const listDatastores: Route = (app, { deps }) => {
  const schema = { params: ProjectPath, response: answers(200, DatastoreListBody) };
  app.get('/datastores', { schema }, async (request) => {
    const all = await readDatastores(deps.catalog.knex);
    const shown = isAdmin(callerOfRequest(request))
      ? all
      : all.map(activeVersions).filter(({ versions }) => versions.length > 0);
    return { datastores: shown.map((datastore) => datastoreView(request, datastore)) };
  });
};
