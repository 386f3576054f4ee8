import type { Knex } from 'knex';

/** How many instances would lose a key on the way down. Below 100 a key that we sealed does not open, below 41 there is no column for one. */
export async function keysInTheWay(knex: Knex, from: number, to: number): Promise<number> {
  const ids = new Set<string>();
  const add = (rows: readonly { id: string }[]): void => rows.forEach((row) => void ids.add(row.id));
  if (from >= 41 && to < 41 && (await knex.schema.hasColumn('instances', 'encrypted_key'))) {
    add(await knex<{ id: string }>('instances').select('id').whereNotNull('encrypted_key'));
  }
  if (from >= 100 && to < 100) {
    add(await knex<{ id: string }>('instances').select('id').where('encrypted_key', 'like', 'v2.%'));
    if (await knex.schema.hasTable('instance_keys')) add(await knex('instance_keys').distinct({ id: 'instance_id' }));
  }
  return ids.size;
}
