import { DatastoreVersionListBody } from '@trove/contracts';
import type { Route } from '../../api_app.ts';
import { datastoreVersionView } from '../../views/datastore.ts';
import { visibleDatastore } from '../../work/visible_datastores.ts';
import { DatastorePath } from '../addresses.ts';
import { answers } from '../answers.ts';

/** `GET /datastores/{id or name}/versions` */
export const listDatastoreVersions: Route = (app, { deps }) => {
  const schema = { params: DatastorePath, response: answers(200, DatastoreVersionListBody) };
  app.get('/datastores/:datastore/versions', { schema }, async (request) => {
    const { versions } = await visibleDatastore(deps, request, request.params.datastore);
    return { versions: versions.map((version) => datastoreVersionView(request, version)) };
  });
};
