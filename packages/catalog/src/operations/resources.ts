import type { Knex } from 'knex';
import { isDuplicate } from '../errors.ts';
import type { ResourceRow } from '../tables.ts';

/** Written before the outside call that makes the thing, so that what a dead worker left can be found by its token. */
export async function intendResource(
  tx: Knex.Transaction,
  args: Pick<ResourceRow, 'token' | 'kind'> & { instanceId: string; taskId: string },
): Promise<void> {
  const row: ResourceRow = {
    token: args.token,
    kind: args.kind,
    external_id: null,
    instance_id: args.instanceId,
    task_id: args.taskId,
    state: 'intent',
  };
  try {
    await tx<ResourceRow>('resources').insert(row);
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    await tx<ResourceRow>('resources').where({ token: args.token }).update({ state: 'intent' });
  }
}

/** Moves a resource on; `externalId` is what the driver or the broker calls it. */
export async function markResource(
  tx: Knex.Transaction,
  args: { token: string; state: ResourceRow['state']; externalId?: string },
): Promise<void> {
  await tx<ResourceRow>('resources')
    .where({ token: args.token })
    .update({ state: args.state, ...(args.externalId !== undefined && { external_id: args.externalId }) });
}

/** What this instance owns outside the catalog, by token. */
export async function resourcesOfInstance(executor: Knex, instanceId: string): Promise<ResourceRow[]> {
  return executor<ResourceRow>('resources')
    .where({ instance_id: instanceId })
    .whereNot({ state: 'gone' })
    .orderBy('token');
}
