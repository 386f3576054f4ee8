import { type Catalog, type ResourceRow, resourcesOfInstance } from '@trove/catalog';
import type { StepContext } from '@trove/tasks';

/** The row that this step wrote before it made anything outside; undefined where it never did, or all of it is gone. */
export async function madeHere(
  { knex }: Pick<Catalog, 'knex'>,
  { task, token }: Pick<StepContext, 'task' | 'token'>,
): Promise<ResourceRow | undefined> {
  return (await resourcesOfInstance(knex, task.instanceId)).find((row) => row.token === token);
}
