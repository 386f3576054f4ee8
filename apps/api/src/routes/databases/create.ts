import { CreateDatabasesBody } from '@trove/contracts';
import type { Route } from '../../api_app.ts';
import { askGuest, servingInstance } from '../../work/ask_guest.ts';
import { checkDatabases } from '../../work/names.ts';
import { InstancePath } from '../addresses.ts';
import { ACCEPTED, answers } from '../answers.ts';

/** `POST /instances/{id}/databases`: answered when the guest has made them. */
export const createDatabases: Route = (app, { deps }) => {
  const schema = { params: InstancePath, body: CreateDatabasesBody, response: answers(202, ACCEPTED) };
  app.post('/instances/:instance_id/databases', { schema }, async (request, reply) => {
    const { id, manager } = await servingInstance(
      deps,
      request,
      request.params.instance_id,
      'instance:extension:database:create',
    );
    checkDatabases(request.body.databases, manager);
    const databases = request.body.databases.map(({ name, character_set, collate }) => ({
      _name: name,
      _character_set: character_set ?? null,
      _collate: collate ?? null,
    }));
    await askGuest(deps, request, 'create_database', { instance_id: id, databases });
    return await reply.code(202).send(undefined);
  });
};
