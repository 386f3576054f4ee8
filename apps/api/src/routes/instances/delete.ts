import type { Route } from '../../api_app.ts';
import { deleteInstance as fileDelete } from '../../work/delete_instance.ts';
import { contextOf } from '../../work/filing.ts';
import { instanceOfCaller } from '../../work/instance_of_caller.ts';
import { InstancePath } from '../addresses.ts';
import { ACCEPTED, answers } from '../answers.ts';

/** `DELETE /instances/{id}`: taken in any state; what is running is cancelled first. */
export const deleteInstance: Route = (app, { deps, doorbell }) => {
  const schema = { params: InstancePath, response: answers(202, ACCEPTED) };
  app.delete('/instances/:instance_id', { schema }, async (request, reply) => {
    const instance = await instanceOfCaller(deps, request, request.params.instance_id, 'instance:delete');
    const filed = await fileDelete(deps, request, instance);
    doorbell.ring(filed.taskId, contextOf(request));
    return await reply.code(202).send(undefined);
  });
};
