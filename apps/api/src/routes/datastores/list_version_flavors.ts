import { listBoundFlavors } from '@trove/catalog';
import { FlavorListBody } from '@trove/contracts';
import type { Route } from '../../api_app.ts';
import { flavorView } from '../../views/flavor.ts';
import { visibleVersion } from '../../work/visible_datastores.ts';
import { DatastoreVersionPath } from '../addresses.ts';
import { answers } from '../answers.ts';

/** `GET /datastores/{id or name}/versions/{id}/flavors`: those that the version is bound to, else all. */
export const listVersionFlavors: Route = (app, { deps, choices }) => {
  const schema = { params: DatastoreVersionPath, response: answers(200, FlavorListBody) };
  app.get('/datastores/:datastore/versions/:version/flavors', { schema }, async (request) => {
    const version = await visibleVersion(deps, request, request.params.datastore, request.params.version);
    const bound = await listBoundFlavors(deps.catalog.knex, version.id);
    const flavors = (await choices.flavors()).filter(({ id }) => bound.length === 0 || bound.includes(id));
    return { flavors: flavors.map((flavor) => flavorView(request, flavor)) };
  });
};
