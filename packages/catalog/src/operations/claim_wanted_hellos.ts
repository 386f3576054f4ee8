import type { Knex } from 'knex';
import type { Catalog } from '../catalog.ts';
import { dbNow } from '../database_time.ts';

/**
 * The instances that a conductor wants a `hello` for, each given to one caller only: a positive `hello_wanted` is a wish, a
 * negative one when it was taken. A new wish comes 10 s later at the earliest.
 */
export async function claimWantedHellos(catalog: Catalog, limit: number): Promise<string[]> {
  const { knex } = catalog;
  const wanted: { instance_id: string; hello_wanted: string | number }[] = await knex('instance_reports')
    .where('hello_wanted', '>', 0)
    .orderBy('hello_wanted')
    .limit(limit)
    .select('instance_id', 'hello_wanted');
  const taken: string[] = [];
  for (const wish of wanted) {
    if (await claim(knex, wish)) taken.push(wish.instance_id);
  }
  return taken;
}

async function claim(knex: Knex, wish: { instance_id: string; hello_wanted: string | number }): Promise<boolean> {
  const claimed = await knex('instance_reports')
    .where(wish)
    .update({ hello_wanted: knex.raw('-?', [dbNow(knex)]) });
  return claimed === 1;
}
