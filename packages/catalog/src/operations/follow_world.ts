import type { Knex } from 'knex';
import type { InstanceRow } from '../tables.ts';
import { type QuotaOfInstance, settleGrowth } from './settle_quota.ts';
import { writeInstance } from './write_instance.ts';

/** What compute has of an instance. */
export interface FoundSizes {
  /** GB. */
  readonly volumeSize?: number | undefined;
  /** `moreRam`: MB beyond what the flavor in the catalog has, which may be less than nothing. */
  readonly flavor?: { readonly id: string; readonly moreRam: number } | undefined;
}

/**
 * Books what is there: a volume never shrinks again, and a server has the memory that it has, so the row says what was found
 * and quota counts it, above its limit too. A volume that is smaller than its row says is left to an operator. By the holder of
 * the slot, in a transaction that locks nothing before; `STALE_FENCE` where that is another by now. False where nothing differs.
 */
export async function followWorld(
  tx: Knex.Transaction,
  { projectId, instanceId, fence, found }: QuotaOfInstance & { readonly fence: bigint; readonly found: FoundSizes },
): Promise<boolean> {
  const row = await tx<InstanceRow>('instances').where({ id: instanceId }).first('volume_size', 'flavor_id');
  if (row === undefined) return false;
  const grown = Math.max(0, (found.volumeSize ?? 0) - (row.volume_size ?? 0));
  const flavor = found.flavor?.id === row.flavor_id ? undefined : found.flavor;
  if (grown === 0 && flavor === undefined) return false;
  const change = { ram: flavor?.moreRam ?? 0, volumes: grown };
  await settleGrowth(tx, { projectId, instanceId, change, done: true });
  const values = {
    ...(grown > 0 && { volume_size: (row.volume_size ?? 0) + grown }),
    ...(flavor !== undefined && { flavor_id: flavor.id }),
  };
  await writeInstance(tx, { instanceId, fence, values });
  return true;
}
