import { ListPageQuery, UserListBody } from '@trove/contracts';
import type { Route } from '../../api_app.ts';
import { nextLink, pageLimit } from '../../paging.ts';
import { askGuest, servingInstance } from '../../work/ask_guest.ts';
import { InstancePath } from '../addresses.ts';
import { answers } from '../answers.ts';

/** `GET /instances/{id}/users`: as the guest finds them now, never with a password. */
export const listUsers: Route = (app, { deps }) => {
  const schema = { params: InstancePath, querystring: ListPageQuery, response: answers(200, UserListBody) };
  app.get('/instances/:instance_id/users', { schema }, async (request) => {
    const { id } = await servingInstance(deps, request, request.params.instance_id, 'instance:extension:user:index');
    const limit = pageLimit(request.query.limit, deps.settings.pageSizes.users);
    const page = { limit, marker: request.query.marker ?? null, include_marker: false };
    const [items, next] = await askGuest(deps, request, 'list_users', { instance_id: id, ...page });
    const users = items.map((user) => ({
      name: user._name,
      host: user._host ?? '%',
      databases: (user._databases ?? []).map(({ _name }) => ({ name: _name })),
    }));
    return { users, ...(next !== null && { links: nextLink(request, limit, next) }) };
  });
};
