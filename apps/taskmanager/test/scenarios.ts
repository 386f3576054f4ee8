import { type QuotaAmounts, reserveGrowth, withTransaction } from '@trove/catalog';
import type { JsonObject } from '@trove/tasks';
import { file, fileCreate, type House, UPGRADE } from './house.ts';
import { FLAVOR, LARGER } from './world.ts';

/** One way that a kind of task goes: what killed workers and recorded journals go through. */
export interface Scenario {
  /** Of the recording's file too. */
  readonly name: string;
  readonly kind: string;
  readonly ends: 'done' | 'failed';
  /** The guest refuses this method, with these words. */
  readonly refused?: readonly [method: string, words: string];
  /** Files the task, on an instance that `serving` made unless the task makes one. */
  file(house: House, serving: () => Promise<string>): Promise<{ id: string; taskId: string }>;
}

function onServing(kind: string, params?: JsonObject): Scenario['file'] {
  return async (house, serving) => {
    const id = await serving();
    return { id, taskId: await file(house, kind, id, params) };
  };
}

/** As the api does: what it takes more is reserved first. */
function onServingWith(amounts: Partial<QuotaAmounts>, kind: string, params: JsonObject): Scenario['file'] {
  const filed = onServing(kind, params);
  return (house, serving) =>
    filed(house, async () => {
      const instanceId = await serving();
      const request = {
        projectId: house.project,
        instanceId,
        amounts: { instances: 0, ram: 0, volumes: 0, ...amounts },
        defaults: { instances: -1, ram: -1, volumes: -1 },
        ramOf: () => FLAVOR.ram,
      };
      await withTransaction(house.catalog, (tx) => reserveGrowth(tx, request));
      return instanceId;
    });
}

/** At least one of each kind. A kind that is new here has its line here, and its journals recorded. */
export const SCENARIOS: readonly Scenario[] = [
  { name: 'create', kind: 'create_instance', ends: 'done', file: (house) => fileCreate(house) },
  {
    name: 'create_refused',
    kind: 'create_instance',
    ends: 'failed',
    refused: ['prepare', 'initdb failed'],
    file: (house) => fileCreate(house),
  },
  { name: 'delete', kind: 'delete_instance', ends: 'done', file: onServing('delete_instance') },
  { name: 'upgrade', kind: 'upgrade_instance', ends: 'done', file: onServing('upgrade_instance', UPGRADE) },
  {
    name: 'upgrade_refused',
    kind: 'upgrade_instance',
    ends: 'failed',
    refused: ['post_upgrade {"stopped":true}', 'cannot read this volume'],
    file: onServing('upgrade_instance', UPGRADE),
  },
  { name: 'restart', kind: 'restart_instance', ends: 'done', file: onServing('restart_instance') },
  {
    name: 'resize_flavor',
    kind: 'resize_flavor',
    ends: 'done',
    file: onServingWith({ ram: LARGER.ram - FLAVOR.ram }, 'resize_flavor', {
      flavor: { ...LARGER },
      previous_flavor: { ...FLAVOR },
    }),
  },
  {
    name: 'resize_volume',
    kind: 'resize_volume',
    ends: 'done',
    file: onServingWith({ volumes: 2 }, 'resize_volume', { volume_size: 5, previous_size: 3 }),
  },
  { name: 'rotate_key', kind: 'rotate_key', ends: 'done', file: onServing('rotate_key') },
  {
    name: 'reconcile',
    kind: 'reconcile_instance',
    ends: 'done',
    file: onServing('reconcile_instance', { findings: [] }),
  },
];
