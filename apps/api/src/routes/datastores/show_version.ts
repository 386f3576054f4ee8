import { DatastoreVersionBody } from '@trove/contracts';
import type { Route } from '../../api_app.ts';
import { datastoreVersionView } from '../../views/datastore.ts';
import { visibleVersion } from '../../work/visible_datastores.ts';
import { DatastoreVersionPath } from '../addresses.ts';
import { answers } from '../answers.ts';

/** `GET /datastores/{id or name}/versions/{id or name}` */
export const showDatastoreVersion: Route = (app, { deps }) => {
  const schema = { params: DatastoreVersionPath, response: answers(200, DatastoreVersionBody) };
  app.get('/datastores/:datastore/versions/:version', { schema }, async (request) => {
    const version = await visibleVersion(deps, request, request.params.datastore, request.params.version);
    return { version: datastoreVersionView(request, version) };
  });
};
