import { DatabaseListBody, ListPageQuery } from '@trove/contracts';
import type { Route } from '../../api_app.ts';
import { nextLink, pageLimit } from '../../paging.ts';
import { askGuest, servingInstance } from '../../work/ask_guest.ts';
import { InstancePath } from '../addresses.ts';
import { answers } from '../answers.ts';

/** `GET /instances/{id}/databases`: as the guest finds them now. */
export const listDatabases: Route = (app, { deps }) => {
  const schema = { params: InstancePath, querystring: ListPageQuery, response: answers(200, DatabaseListBody) };
  app.get('/instances/:instance_id/databases', { schema }, async (request) => {
    const { id } = await servingInstance(
      deps,
      request,
      request.params.instance_id,
      'instance:extension:database:index',
    );
    const limit = pageLimit(request.query.limit, deps.settings.pageSizes.databases);
    const page = { limit, marker: request.query.marker ?? null, include_marker: false };
    const [items, next] = await askGuest(deps, request, 'list_databases', { instance_id: id, ...page });
    const databases = items.map(({ _name }) => ({ name: _name }));
    return { databases, ...(next !== null && { links: nextLink(request, limit, next) }) };
  });
};
