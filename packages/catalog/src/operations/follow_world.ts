import type { Knex } from 'knex';
import type { InstanceRow } from '../tables.ts';
import { recordFault } from './record_fault.ts';
import { type QuotaOfInstance, settleGrowth } from './settle_quota.ts';
import { writeInstance } from './write_instance.ts';

/** What compute has of an instance. */
export interface FoundSizes {
  /** GB. */
  readonly volumeSize?: number | undefined;
  /** An operator has said that a volume which is smaller than its row says counts as what it is. */
  readonly mayBeSmaller?: boolean;
  /** `moreRam`: MB beyond what the flavor in the catalog has, which may be less than nothing. */
  readonly flavor?: { readonly id: string; readonly moreRam: number } | undefined;
}

/**
 * Books what is there: a server and a volume have the size that they have, so the row says what was found and quota counts it,
 * above its limit too. Nothing of ours makes a volume smaller: one that is counts as that where an operator has said so, and its
 * tenant is told, who may have it made larger again. By the holder of the slot, in a transaction that locks nothing before;
 * `STALE_FENCE` where that is another by now. False where nothing differs.
 */
export async function followWorld(
  tx: Knex.Transaction,
  { projectId, instanceId, fence, found }: QuotaOfInstance & { readonly fence: bigint; readonly found: FoundSizes },
): Promise<boolean> {
  const row = await tx<InstanceRow>('instances').where({ id: instanceId }).first('volume_size', 'flavor_id');
  if (row === undefined) return false;
  const booked = row.volume_size ?? 0;
  const seen = found.volumeSize ?? booked;
  const size = found.mayBeSmaller ? seen : Math.max(seen, booked);
  const flavor = found.flavor?.id === row.flavor_id ? undefined : found.flavor;
  if (size === booked && flavor === undefined) return false;
  const change = { ram: flavor?.moreRam ?? 0, volumes: size - booked };
  await settleGrowth(tx, { projectId, instanceId, change, done: true });
  const values = {
    ...(size !== booked && { volume_size: size }),
    ...(flavor !== undefined && { flavor_id: flavor.id }),
  };
  await writeInstance(tx, { instanceId, fence, values });
  if (size < booked) {
    const message = `The volume was found to have ${size} GB, not ${booked}: it counts as that, and can be resized.`;
    await recordFault(tx, { instanceId, message, details: `volume_size: ${message}` });
  }
  return true;
}
