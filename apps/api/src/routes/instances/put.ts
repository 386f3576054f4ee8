import { PutInstanceBody } from '@trove/contracts';
import type { Route } from '../../api_app.ts';
import { changeInstance } from '../../work/change_instance.ts';
import { announce } from '../accepted.ts';
import { InstancePath } from '../addresses.ts';
import { ACCEPTED, answers } from '../answers.ts';

/** `PUT /instances/{id}` */
export const putInstance: Route = (app, work) => {
  const schema = { params: InstancePath, body: PutInstanceBody, response: answers(202, ACCEPTED) };
  app.put('/instances/:instance_id', { schema }, async (request, reply) => {
    const filed = await changeInstance(work, request, request.params.instance_id, request.body.instance);
    if (filed !== undefined) announce(work, request, reply, filed);
    return await reply.code(202).send(undefined);
  });
};
