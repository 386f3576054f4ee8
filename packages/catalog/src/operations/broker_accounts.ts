import type { Knex } from 'knex';
import type { InstanceRow, ResourceRow } from '../tables.ts';
import { intendResource, markResource } from './resources.ts';

/** The token of its row: an instance has one broker account for life, whatever task made it. */
export function accountToken(instanceId: string): string {
  return `account-${instanceId}`;
}

/** `gone`: given up in the catalog; the broker may still have it. */
export type AccountState = 'none' | 'intended' | 'counts' | 'gone';

/** Whether the guest has a broker account of its own, and whether its messages must come from it. */
export async function accountState(executor: Knex, instanceId: string): Promise<AccountState> {
  const row = await executor<ResourceRow>('resources')
    .where({ token: accountToken(instanceId) })
    .first('state');
  if (row === undefined) return 'none';
  if (row.state === 'gone') return 'gone';
  return row.state === 'live' ? 'counts' : 'intended';
}

/** Written before the account is made. One that counts goes on to count. */
export async function intendAccount(
  tx: Knex.Transaction,
  args: { instanceId: string; taskId: string; account: string },
): Promise<void> {
  const { instanceId, taskId, account } = args;
  if ((await accountState(tx, instanceId)) === 'counts') return;
  const token = accountToken(instanceId);
  await intendResource(tx, { token, kind: 'broker_account', instanceId, taskId });
  await markResource(tx, { token, state: 'intent', externalId: account });
}

/** From here on the guest's messages must come from its account. */
export async function countAccount(tx: Knex.Transaction, instanceId: string): Promise<void> {
  await markResource(tx, { token: accountToken(instanceId), state: 'live' });
}

/** The guest has no account of its own any more, or again. */
export async function forgetAccount(tx: Knex.Transaction, instanceId: string): Promise<void> {
  await markResource(tx, { token: accountToken(instanceId), state: 'gone' });
}

/**
 * Which of these instances are deleted and had a broker account or a queue by this catalog's books: what the broker still has
 * of them is left over. Of an instance that this catalog does not know nothing is said.
 */
export async function leftOverAccounts(executor: Knex, instanceIds: readonly string[]): Promise<string[]> {
  const rows: Pick<InstanceRow, 'id'>[] = await executor('resources as r')
    .join('instances as i', 'i.id', 'r.instance_id')
    .whereIn('r.instance_id', instanceIds)
    .whereIn('r.kind', ['broker_account', 'queue'] satisfies ResourceRow['kind'][])
    .where({ 'i.deleted': 1 })
    .distinct('i.id');
  return rows.map(({ id }) => id);
}

export interface CountedAccount {
  readonly instanceId: string;
  readonly serverId: string | null;
  /** A task works on the instance. */
  readonly atWork: boolean;
}

/** The next page, by instance id, of instances whose account counts. */
export async function accountsToCheck(
  executor: Knex,
  { after, limit }: { after: string; limit: number },
): Promise<CountedAccount[]> {
  const rows: Pick<InstanceRow, 'id' | 'compute_instance_id' | 'active_task_id'>[] = await executor('resources as r')
    .join('instances as i', 'i.id', 'r.instance_id')
    .where('r.instance_id', '>', after)
    .where({ 'r.kind': 'broker_account', 'r.state': 'live', 'i.deleted': 0 })
    .orderBy('r.instance_id')
    .limit(limit)
    .select('i.id', 'i.compute_instance_id', 'i.active_task_id');
  return rows.map((row) => ({
    instanceId: row.id,
    serverId: row.compute_instance_id,
    atWork: row.active_task_id !== null,
  }));
}
