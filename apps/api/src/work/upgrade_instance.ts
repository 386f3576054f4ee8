import {
  type DatastoreVersionRow,
  isServerKnown,
  lockInstance,
  readDatastore,
  readDatastoreVersion,
  renameInstance,
  setInstanceTask,
} from '@trove/catalog';
import { TroveError } from '@trove/common';
import { taskStatusByCode } from '@trove/contracts';
import { mayUpgrade } from '@trove/datastores';
import { type FiledTask, fileTask } from '@trove/tasks';
import type { FastifyRequest } from 'fastify';
import type { ApiDeps } from '../deps.ts';
import { isIdle } from '../status.ts';
import type { ComputeChoices } from './compute_choices.ts';
import { earlierTask, inFilingTransaction, repeatOf } from './filing.ts';
import { checkActive, chooseVersion } from './find_datastore_version.ts';
import { instanceNotFound, type instanceOfCaller } from './instance_of_caller.ts';
import { TASK_PLANS } from './task_plans.ts';

type Instance = Awaited<ReturnType<typeof instanceOfCaller>>;

/**
 * Files an upgrade to `wanted.version`, an id or name (the same version is allowed), and gives the instance its new name with
 * it. Nothing has been touched when it rejects.
 */
export async function upgradeInstance(
  deps: ApiDeps,
  choices: ComputeChoices,
  request: FastifyRequest,
  instance: Instance,
  wanted: { version: string; name: string | undefined },
): Promise<FiledTask> {
  const { present, target } = await findVersions(deps, instance, wanted.version);
  const image = await choices.image(target.image_id);
  const params = {
    datastore_version_id: target.id,
    datastore_version: target.version ?? target.name ?? '',
    datastore_manager: target.manager ?? '',
    image_id: image.id,
    previous: { datastore_version_id: present.id, image_id: present.image_id },
  };
  const task = {
    ...TASK_PLANS.upgrade_instance,
    ...repeatOf(deps, request),
    instanceId: instance.id,
    projectId: instance.tenant_id,
    params,
  };
  return await inFilingTransaction(deps, async (tx) => {
    const row = await lockInstance(tx, instance.id);
    if (row === undefined) throw instanceNotFound(instance.id);
    const earlier = await earlierTask(tx, instance.tenant_id, task);
    if (earlier) return earlier;
    if (row.compute_instance_id === null)
      throw new TroveError('UNPROCESSABLE', `Instance ${instance.id} has no server.`);
    const running = taskStatusByCode(row.task_id);
    if (!isIdle(running)) throw new TroveError('UNPROCESSABLE', busyText(instance.id, 'task', running.action));
    if (!(await isServerKnown(tx, row))) throw unknownServer(instance.id);
    const filed = await fileTask(tx, task);
    await setInstanceTask(tx, instance.id, 'UPGRADING');
    if (wanted.name !== undefined) await renameInstance(tx, instance.id, wanted.name);
    return filed;
  });
}

/** Trove's text of a 422: why no action can start now. */
export function busyText(instanceId: string, kind: 'instance' | 'task', status: string): string {
  return `Instance ${instanceId} is not currently available for an action to be performed (${kind} status was ${status}).`;
}

/** An adopted deployment's server that the compute driver has never seen is left alone. */
export function unknownServer(instanceId: string): TroveError {
  return new TroveError(
    'UNPROCESSABLE',
    `The server of instance ${instanceId} is not known to the compute driver of this deployment.`,
  );
}

async function findVersions(
  deps: ApiDeps,
  instance: Instance,
  wanted: string,
): Promise<{ present: DatastoreVersionRow; target: DatastoreVersionRow }> {
  const present =
    instance.datastore_version_id === null
      ? undefined
      : await readDatastoreVersion(deps.catalog.knex, instance.datastore_version_id);
  const datastore = present?.datastore_id ? await readDatastore(deps.catalog.knex, present.datastore_id) : undefined;
  if (present === undefined || datastore === undefined) {
    throw new TroveError('UNPROCESSABLE', `The datastore version of instance ${instance.id} is not in the catalog.`);
  }
  const target = chooseVersion(datastore, wanted);
  checkActive(target);
  if (target.manager !== present.manager) {
    throw new TroveError('BAD_REQUEST', 'An upgrade cannot change the datastore manager of an instance.');
  }
  checkStep(present, target);
  return { present, target };
}

/** Back, or to another series, only where the datastore's driver says that its server serves the data as it is. */
function checkStep(present: DatastoreVersionRow, target: DatastoreVersionRow): void {
  if (present.id === target.id || mayUpgrade(target.manager ?? '', nameOf(present), nameOf(target))) return;
  throw new TroveError(
    'BAD_REQUEST',
    `Upgrading from version ${nameOf(present)} to ${nameOf(target)} is not supported.`,
  );
}

function nameOf(version: DatastoreVersionRow): string {
  return version.version ?? version.name ?? version.id;
}
