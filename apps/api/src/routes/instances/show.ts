import { InstanceBody } from '@trove/contracts';
import type { Route } from '../../api_app.ts';
import { shownInstance } from '../../views/instance.ts';
import { instanceOfCaller } from '../../work/instance_of_caller.ts';
import { InstancePath } from '../addresses.ts';
import { answers } from '../answers.ts';

/** `GET /instances/{id}` */
export const showInstance: Route = (app, { deps }) => {
  const schema = { params: InstancePath, response: answers(200, InstanceBody) };
  app.get('/instances/:instance_id', { schema }, async (request) => {
    const row = await instanceOfCaller(deps, request, request.params.instance_id, 'instance:show');
    return { instance: shownInstance(request, row, deps.settings) };
  });
};
