import { readQuota } from '@trove/catalog';
import { QuotaListBody } from '@trove/contracts';
import { enforce } from '@trove/identity';
import type { Route } from '../../api_app.ts';
import { callerOfRequest } from '../../plugins/authentication.ts';
import { checkStorable } from '../../work/names.ts';
import { QuotaPath } from '../addresses.ts';
import { answers } from '../answers.ts';

/** In Trove's order. */
const SHOWN = ['instances', 'ram', 'backups', 'volumes'] as const;

/** `GET /mgmt/quotas/{tenant_id}`: for admins, and for everybody of their own project. */
export const showQuotas: Route = (app, { deps, choices }) => {
  const schema = { params: QuotaPath, response: answers(200, QuotaListBody) };
  app.get('/mgmt/quotas/:tenant_id', { schema }, async (request) => {
    const caller = callerOfRequest(request);
    const { tenant_id: projectId } = request.params;
    if (projectId !== caller.projectId) enforce('context_is_admin', caller, projectId);
    checkStorable('project', projectId);
    const ram = new Map((await choices.flavors()).map((flavor) => [flavor.id, flavor.ram]));
    const ramOf = (flavorId: string): number => ram.get(flavorId) ?? 0;
    const readings = await readQuota(deps.catalog, { projectId, defaults: deps.settings.quotas, ramOf });
    const quotas = readings.map(({ resource, inUse, reserved, limit }) => ({
      resource,
      in_use: inUse,
      reserved,
      limit,
    }));
    return { quotas: quotas.toSorted((one, other) => SHOWN.indexOf(one.resource) - SHOWN.indexOf(other.resource)) };
  });
};
