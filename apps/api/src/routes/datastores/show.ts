import { DatastoreBody } from '@trove/contracts';
import type { Route } from '../../api_app.ts';
import { datastoreView } from '../../views/datastore.ts';
import { findDatastore } from '../../work/find_datastore_version.ts';
import { activeVersions } from '../../work/visible_datastores.ts';
import { DatastorePath } from '../addresses.ts';
import { answers } from '../answers.ts';

/** `GET /datastores/{id or name}`: with its active versions, for admins too. */
export const showDatastore: Route = (app, { deps }) => {
  const schema = { params: DatastorePath, response: answers(200, DatastoreBody) };
  app.get('/datastores/:datastore', { schema }, async (request) => {
    const datastore = await findDatastore(deps.catalog, request.params.datastore);
    return { datastore: datastoreView(request, activeVersions(datastore)) };
  });
};
