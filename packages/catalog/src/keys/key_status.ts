import type { Catalog } from '../catalog.ts';
import { kekId, restsUnder } from './at_rest.ts';
import {
  type AllRings,
  isTroveFormUnderFirst,
  type KeySetting,
  ringOf,
  type SealedCell,
  sealedCells,
} from './sealed_cells.ts';

/** One key of a ring, or one that things rest under and that no ring has. */
export interface KeyStatus {
  readonly setting: KeySetting;
  /** From 1, which seals; null for a key that is not in the ring. */
  readonly place: number | null;
  /** 8 hex digits; null where Trove's own form does not tell it. */
  readonly id: string | null;
  /** How many texts of the catalog rest under it. */
  readonly rows: number;
  /** True for an uplink key that is derived from `inst_rpc_key_encr_key`. */
  readonly derived: boolean;
}

export interface Rewrapped {
  /** Texts that rest under a ring's first key now and did not before. */
  readonly moved: number;
  /** Texts that still need an old key: changed meanwhile by a service whose first key is still another one. */
  readonly left: number;
  /** Texts that no key of the rings opens. */
  readonly unreadable: number;
}

/** How much of the catalog rests under each key. */
export async function keyStatus({ knex }: Catalog, rings: AllRings): Promise<readonly KeyStatus[]> {
  const counts = new Map<string, number>();
  for await (const cells of sealedCells(knex)) {
    for (const { setting, texts } of cells) {
      for (const text of texts) count(counts, `${setting} ${restsUnder(text) ?? ''}`);
    }
  }
  return SETTINGS.flatMap((setting) => statusOf(setting, rings, counts));
}

export const SETTINGS = ['taskmanager_rpc_encr_key', 'inst_rpc_key_encr_key', 'inst_rpc_uplink_encr_key'] as const;

function statusOf(setting: KeySetting, rings: AllRings, counts: ReadonlyMap<string, number>): KeyStatus[] {
  const ids = ringOf(setting, rings).map(kekId);
  const own = setting === 'inst_rpc_uplink_encr_key' ? rings.uplink.length : ids.length;
  const known = ids.map((id, index) => ({
    ...{ setting, id, place: index + 1, derived: index >= own },
    rows: counts.get(`${setting} ${id}`) ?? 0,
  }));
  const others = [...counts]
    .map(([name, rows]) => ({ of: name.split(' ')[0], id: name.split(' ')[1] ?? '', rows }))
    .filter(({ of, id }) => of === setting && !ids.includes(id))
    .map(({ id, rows }) => ({ setting, id: id === '' ? null : id, place: null, derived: false, rows }));
  return [...known, ...others];
}

/**
 * Moves everything that rests under an older key to the first one of its ring, and what rests in Trove's own form to ours
 * (unless `format` is v1). In batches, each row by itself and only where it is still what was read: it may be run beside the
 * services, stopped at any time, and run again.
 * @param onBatch told after each batch how many were moved so far
 */
export async function rewrapKeys(
  { knex }: Catalog,
  rings: AllRings,
  onBatch: (moved: number) => void = () => undefined,
): Promise<Rewrapped> {
  let [moved, unreadable] = [0, 0];
  for await (const cells of sealedCells(knex)) {
    for (const cell of cells.filter((each) => isOld(each, rings))) {
      try {
        if ((await cell.reseal(knex, rings)) > 0) moved += cell.texts.length;
      } catch (error) {
        if (!doesNotOpen(error)) throw error;
        unreadable += cell.texts.length;
      }
    }
    onBatch(moved);
  }
  return { moved, unreadable, left: (await countOld(knex, rings)) - unreadable };
}

async function countOld(knex: Catalog['knex'], rings: AllRings): Promise<number> {
  let old = 0;
  for await (const cells of sealedCells(knex))
    for (const cell of cells) if (isOld(cell, rings)) old += cell.texts.length;
  return old;
}

function isOld({ setting, texts }: SealedCell, rings: AllRings): boolean {
  const [first] = ringOf(setting, rings);
  if (first === undefined) return false;
  return texts.some((text) => restsUnder(text) !== kekId(first) && !isTroveFormUnderFirst(rings, text));
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function doesNotOpen(error: unknown): boolean {
  return error instanceof Error && error.message.includes('does not open');
}
