import type { Knex } from 'knex';
import { toBigint } from '../bigint.ts';
import type { Catalog } from '../catalog.ts';
import { dbNow } from '../database_time.ts';
import type { KeyOwedRow } from '../tables.ts';

interface KeyOfInstance {
  readonly instanceId: string;
  readonly version: number;
}

export interface OwedQuery {
  /** The kind of task that does it. */
  readonly kind: string;
  /** Between two tasks for one instance, milliseconds. */
  readonly pauseMs: number;
  readonly limit: number;
}

/** The key stands in files that a server is about to be made from: another has to take its place. */
export async function oweRotation(tx: Knex.Transaction, key: KeyOfInstance): Promise<void> {
  await owe(tx, key, 'rotation');
}

/** The broker has not been given the password that goes with this key. */
export async function owePassword(tx: Knex.Transaction, key: KeyOfInstance): Promise<void> {
  await owe(tx, key, 'password');
}

/** It has been given it, or asks for none of this guest. */
export async function settlePassword(tx: Knex.Transaction, { instanceId, version }: KeyOfInstance): Promise<void> {
  await tx('keys_owed').where({ instance_id: instanceId, version, what: 'password' }).delete();
}

/** Nothing is owed any more for the keys of this instance, but for that of one version. */
export async function forgetOwed(tx: Knex.Transaction, instanceId: string, but?: number): Promise<void> {
  const rows = tx('keys_owed').where({ instance_id: instanceId });
  await (but === undefined ? rows : rows.whereNot({ version: but })).delete();
}

/**
 * The instances whose present key is in their servers' files, and whose guests have been heard of within this time; the longest
 * owed first. A guest that is silent could not agree on another, and its instance would be busy with trying.
 */
export async function owedRotations(
  executor: Knex,
  { heardWithinMs, ...query }: OwedQuery & { readonly heardWithinMs: number },
): Promise<string[]> {
  return await owed(executor, 'rotation', query).where(
    'r.received_at',
    '>',
    executor.raw('? - ?', [dbNow(executor), heardWithinMs * 1000]),
  );
}

/** The instances whose broker accounts have not been given the password of their present key; the longest owed first. */
export async function owedPasswords(executor: Knex, query: OwedQuery): Promise<string[]> {
  return await owed(executor, 'password', query);
}

/** What is to be done yet about a key that counts. */
export interface OwedKey extends KeyOfInstance {
  readonly what: KeyOwedRow['what'];
  /** Milliseconds since 1970, by the database. */
  readonly since: number;
}

/** All that is owed for keys that count, the longest owed first. */
export async function owedKeys({ knex }: Pick<Catalog, 'knex'>): Promise<readonly OwedKey[]> {
  const rows: KeyOwedRow[] = await knex('keys_owed as o')
    .join('instances as i', 'i.id', 'o.instance_id')
    .join('instance_keys as k', (join) =>
      join.on('k.instance_id', 'o.instance_id').andOn('k.version', 'o.version').andOnVal('k.state', 'active'),
    )
    .where({ 'i.deleted': 0 })
    .orderBy(['o.since', 'o.instance_id', 'o.what'])
    .select('o.*');
  return rows.map(({ instance_id: instanceId, version, what, since }) => ({
    ...{ instanceId, version, what },
    since: Number(toBigint(since) / 1000n),
  }));
}

/** Those that no task works on, and none has since it is owed and within the pause. */
function owed(executor: Knex, what: KeyOwedRow['what'], { kind, pauseMs, limit }: OwedQuery): Knex.QueryBuilder {
  const lately = executor('tasks as t')
    .where({ 't.kind': kind })
    .where('t.instance_id', executor.ref('o.instance_id'))
    .where('t.created', '>', executor.ref('o.since'))
    .where('t.created', '>', executor.raw('? - ?', [dbNow(executor), pauseMs * 1000]))
    .select('t.id');
  return executor('keys_owed as o')
    .join('instances as i', 'i.id', 'o.instance_id')
    .join('instance_keys as k', (join) =>
      join.on('k.instance_id', 'o.instance_id').andOn('k.version', 'o.version').andOnVal('k.state', 'active'),
    )
    .join('instance_reports as r', 'r.instance_id', 'o.instance_id')
    .where({ 'o.what': what, 'i.deleted': 0, 'i.rpc_policy': 2, 'i.active_task_id': null, 'r.quarantined_at': null })
    .whereNotExists(lately)
    .orderBy('o.since')
    .limit(limit)
    .pluck('o.instance_id');
}

async function owe(
  tx: Knex.Transaction,
  { instanceId, version }: KeyOfInstance,
  what: KeyOwedRow['what'],
): Promise<void> {
  await tx('keys_owed')
    .insert({ instance_id: instanceId, version, what, since: dbNow(tx) })
    .onConflict(['instance_id', 'version', 'what'])
    .merge(['since']);
}
