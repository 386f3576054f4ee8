import { insertInstance, type QuotaChange, replaceTaskParams, reserveQuota, sealTaskSecret } from '@trove/catalog';
import { newUuid } from '@trove/common';
import { type FiledTask, fileTask, type JsonObject } from '@trove/tasks';
import type { FastifyRequest } from 'fastify';
import type { ApiDeps } from '../deps.ts';
import { callerOfRequest } from '../plugins/authentication.ts';
import type { ComputeChoices } from './compute_choices.ts';
import { beingFiled, earlierTask, inFilingTransaction, repeatOf } from './filing.ts';
import type { InstancePlan } from './instance_plan.ts';
import { TASK_PLANS } from './task_plans.ts';

/**
 * Quota, instance, service status and task in one transaction: after it the instance is BUILD and will end, or nothing is there.
 * A repeated `Idempotency-Key` gives the instance of the first time.
 */
export async function createInstance(
  deps: ApiDeps,
  choices: ComputeChoices,
  request: FastifyRequest,
  plan: InstancePlan,
): Promise<FiledTask> {
  const { projectId } = callerOfRequest(request);
  const repeat = repeatOf(deps, request);
  const ram = new Map((await choices.flavors()).map((flavor) => [flavor.id, flavor.ram]));
  return await inFilingTransaction(deps, async (tx) => {
    const earlier = await earlierTask(tx, projectId, repeat);
    if (earlier) return earlier;
    const instanceId = newUuid();
    await reserveQuota(tx, {
      projectId,
      instanceId,
      amounts: amountsOf(plan),
      defaults: deps.settings.quotas,
      ramOf: (flavorId) => ram.get(flavorId) ?? 0,
    });
    await insertInstance(tx, {
      id: instanceId,
      name: plan.name,
      tenant_id: projectId,
      flavor_id: plan.flavor.id,
      volume_size: plan.volumeSize,
      datastore_version_id: plan.version.id,
      region_id: deps.settings.regionName,
      access: plan.access === undefined ? null : JSON.stringify(plan.access),
    });
    const params = taskParams(plan);
    const filed = await fileTask(tx, { ...TASK_PLANS.create_instance, ...repeat, instanceId, projectId, params });
    // The same request has ended on another connection meanwhile: nothing of this one may stay.
    if (filed.repeated) throw beingFiled();
    if (plan.users.length > 0) {
      // Sealed for this task alone, so its id has to be there first.
      const users = sealTaskSecret(deps.controlRing, filed.taskId, JSON.stringify(plan.users.map(userParams)));
      await replaceTaskParams(tx, filed.taskId, { ...params, users });
    }
    return filed;
  });
}

function amountsOf(plan: InstancePlan): QuotaChange {
  return { instances: 1, ram: plan.flavor.ram, volumes: plan.volumeSize };
}

/** All that the work needs but the users, so that nobody has to ask again what was meant. */
function taskParams(plan: InstancePlan): JsonObject {
  const { version } = plan;
  return {
    flavor: { ...plan.flavor },
    image_id: plan.image.id,
    volume_size: plan.volumeSize,
    databases: plan.databases.map(({ name, character_set, collate }) => ({
      name,
      character_set: character_set ?? null,
      collate: collate ?? null,
    })),
    users: null,
    datastore_manager: version.manager,
    datastore_version_id: version.id,
    datastore_version: version.version ?? version.name ?? '',
    availability_zone: plan.availabilityZone ?? null,
    nics: plan.nics.map((nic) => ({ ...nic })),
  };
}

function userParams(user: InstancePlan['users'][number]): JsonObject {
  return {
    name: user.name,
    host: user.host ?? '%',
    password: user.password,
    databases: (user.databases ?? []).map(({ name }) => ({ name })),
  };
}
