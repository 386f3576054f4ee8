import { listInstancesOnHost, readHost } from '@trove/catalog';
import { TroveError } from '@trove/common';
import { HostBody } from '@trove/contracts';
import { enforce } from '@trove/identity';
import type { Route } from '../../api_app.ts';
import { callerOfRequest } from '../../plugins/authentication.ts';
import { instanceStatus } from '../../status.ts';
import { HostPath } from '../addresses.ts';
import { answers } from '../answers.ts';

/** `GET /mgmt/hosts/{host}`, for admins: its memory, and the instances of this catalog that are on it. */
export const showHost: Route = (app, { deps }) => {
  const schema = { params: HostPath, response: answers(200, HostBody) };
  app.get('/mgmt/hosts/:host', { schema }, async (request) => {
    enforce('context_is_admin', callerOfRequest(request), request.params.project_id);
    const { knex } = deps.catalog;
    const host = await readHost(knex, request.params.host);
    if (host === undefined) throw new TroveError('NOT_FOUND', 'Host cannot be found.');
    const { name, totalRam: totalRAM, usedRam: usedRAM } = host;
    const rows = await listInstancesOnHost(knex, name);
    return {
      host: {
        ...{ name, totalRAM, usedRAM },
        percentUsed: totalRAM === null || usedRAM === null ? null : Math.round((100 * usedRAM) / totalRAM),
        instances: rows.map((row) => ({
          id: row.id,
          name: row.name ?? '',
          status: instanceStatus(row, deps.settings.heartbeatExpirySeconds),
          server_id: row.compute_instance_id,
          tenant_id: row.tenant_id,
        })),
      },
    };
  });
};
