import { TroveError } from '@trove/common';
import { InstanceActionBody } from '@trove/contracts';
import type { Route } from '../../api_app.ts';
import { INSTANCE_ACTIONS, type InstanceAction } from '../../work/actions.ts';
import { instanceOfCaller } from '../../work/instance_of_caller.ts';
import { repeatedOnInstance } from '../../work/repeated_request.ts';
import { refuseUnbuilt } from '../../work/unbuilt.ts';
import { announce } from '../accepted.ts';
import { InstancePath } from '../addresses.ts';
import { ACCEPTED, answers } from '../answers.ts';

/** Parts of Trove's actions that do not exist here yet. */
const UNBUILT = ['promote_to_replica_source', 'eject_replica_source', 'reset_status'];

/** `POST /instances/{id}/action`: the body's one member says what to do. */
export const actOnInstance: Route = (app, work) => {
  const schema = { params: InstancePath, body: InstanceActionBody, response: answers(202, ACCEPTED) };
  app.post('/instances/:instance_id/action', { schema }, async (request, reply) => {
    const { instance_id: instanceId } = request.params;
    let filed = await repeatedOnInstance(work.deps, request, instanceId);
    if (filed === undefined) {
      const { action, argument } = actionOf(request.body);
      const instance = await instanceOfCaller(
        work.deps,
        request,
        instanceId,
        action?.rule(argument) ?? 'instance:show',
      );
      refuseUnbuilt(request.body, UNBUILT);
      if (action === undefined) throw new TroveError('BAD_REQUEST', 'The body does not name an action that exists.');
      filed = await action.file(work, request, instance, argument);
    }
    announce(work, request, reply, filed);
    return await reply.code(202).send(undefined);
  });
};

/** The schema lets one member through, and each that it knows has its action. */
function actionOf(body: object): { action: InstanceAction<unknown> | undefined; argument: unknown } {
  const [[name, argument] = ['', undefined]] = Object.entries(body);
  const actions: Readonly<Record<string, InstanceAction<never>>> = INSTANCE_ACTIONS;
  return { action: Object.hasOwn(actions, name) ? actions[name] : undefined, argument };
}
