import { TroveError } from '@trove/common';
import { InstanceActionBody } from '@trove/contracts';
import type { Route } from '../../api_app.ts';
import { contextOf } from '../../work/filing.ts';
import { instanceOfCaller } from '../../work/instance_of_caller.ts';
import { restartInstance } from '../../work/restart_instance.ts';
import { refuseUnbuilt } from '../../work/unbuilt.ts';
import { InstancePath } from '../addresses.ts';
import { ACCEPTED, answers } from '../answers.ts';

/** Parts of Trove's actions that do not exist here yet. */
const UNBUILT = ['resize', 'promote_to_replica_source', 'eject_replica_source', 'reset_status'];

/** `POST /instances/{id}/action`: the body's one member says what to do. */
export const actOnInstance: Route = (app, { deps, doorbell }) => {
  const schema = { params: InstancePath, body: InstanceActionBody, response: answers(202, ACCEPTED) };
  app.post('/instances/:instance_id/action', { schema }, async (request, reply) => {
    const instance = await instanceOfCaller(deps, request, request.params.instance_id, 'instance:restart');
    refuseUnbuilt(request.body, UNBUILT);
    if (request.body.restart === undefined)
      throw new TroveError('BAD_REQUEST', 'The body does not name an action that exists.');
    const filed = await restartInstance(deps, request, instance);
    doorbell.ring(filed.taskId, contextOf(request));
    return await reply.code(202).send(undefined);
  });
};
