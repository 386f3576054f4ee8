import { PatchInstanceBody } from '@trove/contracts';
import type { Route } from '../../api_app.ts';
import { changeInstance } from '../../work/change_instance.ts';
import { announce } from '../accepted.ts';
import { InstancePath } from '../addresses.ts';
import { ACCEPTED, answers } from '../answers.ts';

/** `PATCH /instances/{id}`: what `trove upgrade` sends. */
export const patchInstance: Route = (app, work) => {
  const schema = { params: InstancePath, body: PatchInstanceBody, response: answers(202, ACCEPTED) };
  app.patch('/instances/:instance_id', { schema }, async (request, reply) => {
    const filed = await changeInstance(work, request, request.params.instance_id, request.body.instance);
    if (filed !== undefined) announce(work, request, reply, filed);
    return await reply.code(202).send(undefined);
  });
};
