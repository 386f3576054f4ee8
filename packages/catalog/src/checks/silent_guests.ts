import type { Knex } from 'knex';
import { dbNow } from '../database_time.ts';

const SILENT_MICROS = 600_000_000;
const NAMED_AT_MOST = 10;

/** Sealed guests of instances that should serve, of which nothing was taken for ten minutes; by id. */
export async function readSilentGuests(tx: Knex.Transaction): Promise<readonly string[]> {
  return await tx('instances as i')
    .join('instance_reports as r', 'r.instance_id', 'i.id')
    .where({ 'i.deleted': 0, 'i.server_status': 'ACTIVE', 'i.active_task_id': null })
    .where('i.rpc_policy', '>=', 2)
    .whereRaw('COALESCE(r.received_at, r.nonce_since, 0) < ? - ?', [dbNow(tx), SILENT_MICROS])
    .orderBy('i.id')
    .pluck('i.id');
}

/** What I6 cannot say of them: a guest that holds another key is as silent as one that is stopped. */
export function keysNotCompared(silent: readonly string[]): readonly string[] {
  if (silent.length === 0) return [];
  const named = silent.slice(0, NAMED_AT_MOST).join(', ');
  const others = silent.length > NAMED_AT_MOST ? ` and ${silent.length - NAMED_AT_MOST} more` : '';
  return [`the keys of guests that have been silent for ten minutes, stopped or under another key: ${named}${others}`];
}
