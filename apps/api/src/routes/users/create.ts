import { CreateUsersBody } from '@trove/contracts';
import type { Route } from '../../api_app.ts';
import { askGuest, servingInstance } from '../../work/ask_guest.ts';
import { checkUsers } from '../../work/names.ts';
import { InstancePath } from '../addresses.ts';
import { ACCEPTED, answers } from '../answers.ts';

/** `POST /instances/{id}/users`: answered when the guest has made them. */
export const createUsers: Route = (app, { deps }) => {
  const schema = { params: InstancePath, body: CreateUsersBody, response: answers(202, ACCEPTED) };
  app.post('/instances/:instance_id/users', { schema }, async (request, reply) => {
    const { id, manager } = await servingInstance(
      deps,
      request,
      request.params.instance_id,
      'instance:extension:user:create',
    );
    checkUsers(request.body.users, manager);
    const users = request.body.users.map((user) => ({
      _name: user.name,
      _host: user.host ?? '%',
      _password: user.password,
      _databases: (user.databases ?? []).map(({ name }) => ({ _name: name })),
    }));
    await askGuest(deps, request, 'create_user', { instance_id: id, users });
    return await reply.code(202).send(undefined);
  });
};
