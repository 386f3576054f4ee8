import { readDatastoreVersion } from '@trove/catalog';
import { DatastoreVersionBody } from '@trove/contracts';
import { isAdmin } from '@trove/identity';
import type { Route } from '../../api_app.ts';
import { callerOfRequest } from '../../plugins/authentication.ts';
import { datastoreVersionView } from '../../views/datastore.ts';
import { versionNotFound } from '../../work/visible_datastores.ts';
import { VersionPath } from '../addresses.ts';
import { answers } from '../answers.ts';

/** `GET /datastores/versions/{id}`: an unknown id is 400 here, as in Trove. */
export const showDatastoreVersionById: Route = (app, { deps }) => {
  const schema = { params: VersionPath, response: answers(200, DatastoreVersionBody) };
  app.get('/datastores/versions/:version', { schema }, async (request) => {
    const version = await readDatastoreVersion(deps.catalog.knex, request.params.version);
    const visible = version !== undefined && (version.active === 1 || isAdmin(callerOfRequest(request)));
    if (!visible) throw versionNotFound(request.params.version);
    return { version: datastoreVersionView(request, version) };
  });
};
