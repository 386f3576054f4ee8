import type { Knex } from 'knex';
import type { Catalog } from '../catalog.ts';
import { dbNow } from '../database_time.ts';
import { isDuplicate } from '../errors.ts';
import type { RpcInboxRow } from '../tables.ts';

const KEPT_BEYOND_MS = 120_000;
const PURGED_AT_ONCE = 1000;

/** A message that takes effect at its first arrival and at no other. */
export interface Arrival {
  /** A role, or `guest:<instance id>`. */
  readonly sender: string;
  /** 32 hex digits, or a legacy `_unique_id`. */
  readonly messageId: string;
  /** When it expires, milliseconds since 1970: two minutes later its id is forgotten. */
  readonly expiresMs: number;
}

/**
 * True for the first arrival, once and for all taskmanagers and conductors. In the transaction of the effect it stands or
 * falls with it.
 */
export async function claimArrival(executor: Knex, { sender, messageId, expiresMs }: Arrival): Promise<boolean> {
  const expires = String(BigInt(Math.ceil(expiresMs) + KEPT_BEYOND_MS) * 1000n);
  try {
    await executor<RpcInboxRow>('rpc_inbox').insert({ sender, message_id: messageId, expires });
    return true;
  } catch (error) {
    if (isDuplicate(error)) return false;
    throw error;
  }
}

/** Forgets ids whose messages nobody takes any more, in batches. Returns how many. */
export async function purgeArrivals({ knex }: Catalog): Promise<number> {
  for (let purged = 0; ; ) {
    const old: Pick<RpcInboxRow, 'sender' | 'message_id'>[] = await knex<RpcInboxRow>('rpc_inbox')
      .where('expires', '<', dbNow(knex))
      .orderBy('expires')
      .limit(PURGED_AT_ONCE)
      .select('sender', 'message_id');
    if (old.length > 0) {
      const ids = old.map((row) => [row.sender, row.message_id]);
      purged += await knex('rpc_inbox').whereIn(['sender', 'message_id'], ids).delete();
    }
    if (old.length < PURGED_AT_ONCE) return purged;
  }
}
