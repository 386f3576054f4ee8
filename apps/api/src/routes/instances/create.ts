import { readInstance } from '@trove/catalog';
import { CreateInstanceBody, InstanceBody } from '@trove/contracts';
import { enforce } from '@trove/identity';
import type { Route } from '../../api_app.ts';
import { callerOfRequest } from '../../plugins/authentication.ts';
import { instanceDetail } from '../../views/instance.ts';
import { createInstance as create } from '../../work/create_instance.ts';
import { instanceNotFound } from '../../work/instance_of_caller.ts';
import { planInstance } from '../../work/instance_plan.ts';
import { repeatedRequest } from '../../work/repeated_request.ts';
import { announce } from '../accepted.ts';
import { ProjectPath } from '../addresses.ts';
import { answers } from '../answers.ts';

/** `POST /instances`: answered with the instance in BUILD before anything has been made. */
export const createInstance: Route = (app, work) => {
  const { deps, choices } = work;
  const schema = { params: ProjectPath, body: CreateInstanceBody, response: answers(200, InstanceBody) };
  app.post('/instances', { schema }, async (request, reply) => {
    const caller = callerOfRequest(request);
    enforce('instance:create', caller, caller.projectId);
    const filed =
      (await repeatedRequest(deps, request, caller.projectId)) ??
      (await create(deps, choices, request, await planInstance(deps, choices, request.body.instance)));
    announce(work, request, reply, filed);
    const row = await readInstance(deps.catalog.knex, filed.instanceId);
    if (row === undefined) throw instanceNotFound(filed.instanceId);
    return { instance: instanceDetail(request, row, deps.settings) };
  });
};
