import { type Catalog, catalogAnswers } from '@trove/catalog';
import type { BrokenPart } from '@trove/common';
import type { Bus } from '@trove/crypto-rpc';
import type { TaskEngine } from '@trove/tasks';

export interface Parts {
  readonly catalog: Pick<Catalog, 'knex'>;
  readonly sealedBus: Pick<Bus, 'state'>;
  readonly legacyBus: Pick<Bus, 'state'>;
  readonly engine: Pick<TaskEngine, 'health'>;
}

/** What does not work now: the catalog, either bus, the engine. */
export async function brokenParts(parts: Parts): Promise<readonly BrokenPart[]> {
  const broken: BrokenPart[] = [];
  if (!(await catalogAnswers(parts.catalog))) broken.push({ part: 'catalog', reason: 'no answer' });
  if (parts.sealedBus.state !== 'connected')
    broken.push({ part: 'bus', reason: `sealed bus is ${parts.sealedBus.state}` });
  if (parts.legacyBus !== parts.sealedBus && parts.legacyBus.state !== 'connected') {
    broken.push({ part: 'bus', reason: `clear bus is ${parts.legacyBus.state}` });
  }
  const engine = parts.engine.health();
  if (!engine.ok) broken.push({ part: 'engine', reason: engine.problem ?? 'not running' });
  return broken;
}
