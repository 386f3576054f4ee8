import { FlavorListBody } from '@trove/contracts';
import type { Route } from '../../api_app.ts';
import { flavorView } from '../../views/flavor.ts';
import { ProjectPath } from '../addresses.ts';
import { answers } from '../answers.ts';

/** `GET /flavors` */
export const listFlavors: Route = (app, { choices }) => {
  const schema = { params: ProjectPath, response: answers(200, FlavorListBody) };
  app.get('/flavors', { schema }, async (request) => {
    const flavors = await choices.flavors();
    return { flavors: flavors.map((flavor) => flavorView(request, flavor)) };
  });
};
