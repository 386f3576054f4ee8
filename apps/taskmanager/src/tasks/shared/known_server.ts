import type { InstanceRow, ResourceRow } from '@trove/catalog';
import { TroveError } from '@trove/common';
import type { Server } from '@trove/compute';
import type { TaskTools } from './tools.ts';

/** An instance's row and the server that the driver knows for it, if there is one. */
export interface KnownServer {
  readonly instance: InstanceRow;
  readonly server: Server | undefined;
}

/**
 * Rejects with `UNPROCESSABLE` where the row names a server that neither the driver nor `resources` knows: an adopted
 * deployment's, which is somebody else's to touch.
 */
export async function knownServer({ catalog, compute }: TaskTools, instanceId: string): Promise<KnownServer> {
  const instance = await catalog.knex<InstanceRow>('instances').where({ id: instanceId }).first('*');
  if (instance === undefined) throw new TroveError('NOT_FOUND', `Resource ${instanceId} cannot be found.`);
  if (instance.compute_instance_id === null) return { instance, server: undefined };
  const server = await compute.getServer(instance.compute_instance_id);
  if (server === undefined && !(await isOurs(catalog.knex, instance))) {
    throw new TroveError('UNPROCESSABLE', 'The server of this instance is not known to the compute driver.');
  }
  return { instance, server };
}

/** One that we have taken away counts: a delete that failed after that is asked for again. */
async function isOurs(executor: TaskTools['catalog']['knex'], instance: InstanceRow): Promise<boolean> {
  const made = await executor<ResourceRow>('resources')
    .where({ kind: 'server', instance_id: instance.id, external_id: instance.compute_instance_id })
    .first('token');
  return made !== undefined;
}
