import type { BrokenPart } from '@trove/common';
import type { ApiDeps } from './deps.ts';

const CATALOG_PATIENCE_MS = 2000;

/** What of the api does not work now. It goes on accepting requests while only the bus is down. */
export async function brokenParts({ catalog, bus }: Pick<ApiDeps, 'catalog' | 'bus'>): Promise<BrokenPart[]> {
  const broken: BrokenPart[] = [];
  try {
    await catalog.knex.raw('SELECT 1').timeout(CATALOG_PATIENCE_MS);
  } catch {
    broken.push({ part: 'catalog', reason: 'no answer' });
  }
  if (bus.state !== 'connected') broken.push({ part: 'bus', reason: bus.state });
  return broken;
}
