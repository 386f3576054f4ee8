import { QUOTA_RESOURCES, type QuotaChange, setLimits } from '@trove/catalog';
import { TroveError } from '@trove/common';
import { UpdatedQuotasBody, UpdateQuotasBody } from '@trove/contracts';
import { enforce } from '@trove/identity';
import type { Route } from '../../api_app.ts';
import { callerOfRequest } from '../../plugins/authentication.ts';
import { checkStorable } from '../../work/names.ts';
import { QuotaPath } from '../addresses.ts';
import { answers } from '../answers.ts';

/** `PUT /mgmt/quotas/{tenant_id}`, for admins: −1 is without a limit, null leaves a limit as it is. */
export const updateQuotas: Route = (app, { deps }) => {
  const schema = { params: QuotaPath, body: UpdateQuotasBody, response: answers(200, UpdatedQuotasBody) };
  app.put('/mgmt/quotas/:tenant_id', { schema }, async (request) => {
    const { tenant_id: projectId } = request.params;
    enforce('context_is_admin', callerOfRequest(request), projectId);
    checkStorable('project', projectId);
    const limits = limitsOf(request.body);
    await setLimits(deps.catalog, projectId, limits);
    return { quotas: { ...limits } };
  });
};

function limitsOf({ quotas }: UpdateQuotasBody): QuotaChange {
  const named = Object.entries(quotas).filter(([, limit]) => limit !== null);
  for (const [name] of named) {
    if (!QUOTA_RESOURCES.some((resource) => resource === name))
      throw new TroveError('NOT_FOUND', `Quota resource '${name}' cannot be found.`);
  }
  return Object.fromEntries(named);
}
