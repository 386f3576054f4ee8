import { setTimeout as delay } from 'node:timers/promises';
import type { Catalog } from './catalog.ts';

const PATIENCE_MS = 5000;

/** Whether the database answers now, a free connection included; never takes longer than 5 s and never rejects. */
export async function catalogAnswers({ knex }: Pick<Catalog, 'knex'>): Promise<boolean> {
  const late = new AbortController();
  const asked = knex.raw('SELECT 1').then(
    () => true,
    () => false,
  );
  try {
    return await Promise.race([asked, delay(PATIENCE_MS, false, { signal: late.signal })]);
  } finally {
    late.abort();
  }
}
