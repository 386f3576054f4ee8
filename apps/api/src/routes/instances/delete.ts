import type { Route } from '../../api_app.ts';
import { deleteInstance as fileDelete } from '../../work/delete_instance.ts';
import { instanceOfCaller } from '../../work/instance_of_caller.ts';
import { repeatedOnInstance } from '../../work/repeated_request.ts';
import { announce } from '../accepted.ts';
import { InstancePath } from '../addresses.ts';
import { ACCEPTED, answers } from '../answers.ts';

/** `DELETE /instances/{id}`: taken in any state; what is running is cancelled first. */
export const deleteInstance: Route = (app, work) => {
  const { deps } = work;
  const schema = { params: InstancePath, response: answers(202, ACCEPTED) };
  app.delete('/instances/:instance_id', { schema }, async (request, reply) => {
    const { instance_id: instanceId } = request.params;
    let filed = await repeatedOnInstance(deps, request, instanceId);
    if (filed === undefined) {
      const instance = await instanceOfCaller(deps, request, instanceId, 'instance:delete');
      filed = await fileDelete(deps, request, instance);
    }
    announce(work, request, reply, filed);
    return await reply.code(202).send(undefined);
  });
};
