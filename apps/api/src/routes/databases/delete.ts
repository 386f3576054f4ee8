import type { Route } from '../../api_app.ts';
import { askGuest, servingInstance } from '../../work/ask_guest.ts';
import { checkDatabaseName } from '../../work/names.ts';
import { DatabasePath } from '../addresses.ts';
import { ACCEPTED, answers } from '../answers.ts';

/** `DELETE /instances/{id}/databases/{name}`: answered when the guest has dropped it. */
export const deleteDatabase: Route = (app, { deps }) => {
  const schema = { params: DatabasePath, response: answers(202, ACCEPTED) };
  app.delete('/instances/:instance_id/databases/:name', { schema }, async (request, reply) => {
    const { id, manager } = await servingInstance(
      deps,
      request,
      request.params.instance_id,
      'instance:extension:database:delete',
    );
    const { name } = request.params;
    checkDatabaseName(name, manager);
    await askGuest(deps, request, 'delete_database', { instance_id: id, database: { _name: name } });
    return await reply.code(202).send(undefined);
  });
};
