import { renameInstance, withTransaction } from '@trove/catalog';
import { TroveError } from '@trove/common';
import type { InstancePatch, InstancePut } from '@trove/contracts';
import type { FiledTask } from '@trove/tasks';
import type { FastifyRequest } from 'fastify';
import type { ApiWork } from './api_work.ts';
import { instanceOfCaller } from './instance_of_caller.ts';
import { checkStorable } from './names.ts';
import { repeatedOnInstance } from './repeated_request.ts';
import { refuseUnbuilt } from './unbuilt.ts';
import { upgradeInstance } from './upgrade_instance.ts';

/** Parts of Trove's update that do not exist here yet. */
const UNBUILT = ['replica_of', 'slave_of', 'configuration', 'access'];

/** What PATCH and PUT do alike: another name, another datastore version. Undefined where the change needed no task. */
export async function changeInstance(
  { deps, choices }: ApiWork,
  request: FastifyRequest,
  instanceId: string,
  change: InstancePatch | InstancePut,
): Promise<FiledTask | undefined> {
  const earlier = await repeatedOnInstance(deps, request, instanceId);
  if (earlier) return earlier;
  const instance = await instanceOfCaller(deps, request, instanceId, 'instance:update');
  const { name, datastore_version, ...others } = change;
  const kinds = Object.keys(others).length + (datastore_version === undefined ? 0 : 1);
  if (kinds > 1) throw new TroveError('BAD_REQUEST', 'Only one kind of change can be made at a time.');
  refuseUnbuilt(others, UNBUILT);
  // Without any of these the request detaches the configuration group.
  const detaches = datastore_version === undefined && name === undefined;
  if ((detaches || 'configuration' in others) && instance.configuration_id !== null) {
    throw new TroveError('NOT_IMPLEMENTED', "'configuration' is not supported by this deployment.");
  }
  if (name !== undefined) checkStorable('name', name);
  if (datastore_version !== undefined) {
    return await upgradeInstance(deps, choices, request, instance, { version: datastore_version, name });
  }
  if (name !== undefined) await withTransaction(deps.catalog, (tx) => renameInstance(tx, instance.id, name));
  return undefined;
}
