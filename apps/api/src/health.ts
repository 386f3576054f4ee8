import { catalogAnswers } from '@trove/catalog';
import type { BrokenPart } from '@trove/common';
import type { ApiDeps } from './deps.ts';

/** What of the api does not work now. It goes on accepting requests while only the bus is down. */
export async function brokenParts({ catalog, bus }: Pick<ApiDeps, 'catalog' | 'bus'>): Promise<BrokenPart[]> {
  const broken: BrokenPart[] = [];
  if (!(await catalogAnswers(catalog))) broken.push({ part: 'catalog', reason: 'no answer' });
  if (bus.state !== 'connected') broken.push({ part: 'bus', reason: bus.state });
  return broken;
}
