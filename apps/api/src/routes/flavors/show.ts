import { isTroveError, TroveError } from '@trove/common';
import { FlavorBody } from '@trove/contracts';
import type { Route } from '../../api_app.ts';
import { flavorView } from '../../views/flavor.ts';
import { FlavorPath } from '../addresses.ts';
import { answers } from '../answers.ts';

/** `GET /flavors/{id}`: unknown is 404 here, 400 where a create names it. */
export const showFlavor: Route = (app, { choices }) => {
  const schema = { params: FlavorPath, response: answers(200, FlavorBody) };
  app.get('/flavors/:flavor_id', { schema }, async (request) => {
    try {
      return { flavor: flavorView(request, await choices.flavor(request.params.flavor_id)) };
    } catch (error) {
      if (isTroveError(error, 'FLAVOR_NOT_FOUND')) throw new TroveError('NOT_FOUND', error.message);
      throw error;
    }
  });
};
