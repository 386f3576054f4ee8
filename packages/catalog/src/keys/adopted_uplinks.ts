import type { Catalog } from '../catalog.ts';
import { isDuplicate } from '../errors.ts';
import type { InstanceRow } from '../tables.ts';
import { checkValueOf, openInstanceKey, sealUplink, uplinkOf } from './guest_key.ts';
import type { KeyRings } from './rings.ts';

/**
 * Writes the conductor's half of the keys that Trove made, so that a conductor needs no more than its own key-encryption key
 * to understand those guests. A taskmanager does it when it starts; again, it finds nothing to do. Returns how many were
 * written and which instances' keys did not open.
 */
export async function storeAdoptedUplinks(
  catalog: Catalog,
  rings: KeyRings,
): Promise<{ written: number; unreadable: string[] }> {
  const { knex } = catalog;
  const rows = await knex<InstanceRow>('instances')
    .leftJoin('instance_keys', (join) =>
      join.on('instance_keys.instance_id', 'instances.id').andOnVal('instance_keys.version', 1),
    )
    .where({ 'instances.rpc_policy': 1, 'instances.deleted': 0 })
    .whereNotNull('instances.encrypted_key')
    .whereNull('instance_keys.instance_id')
    .select('instances.id', 'instances.encrypted_key', 'instances.rpc_policy');
  const unreadable: string[] = [];
  let written = 0;
  for (const row of rows) {
    const uplink = uplinkRow(rings, row);
    if (uplink === undefined) unreadable.push(row.id);
    else written += await insertOnce(catalog, uplink);
  }
  return { written, unreadable };
}

type AdoptedRow = Pick<InstanceRow, 'id' | 'encrypted_key' | 'rpc_policy'>;

function uplinkRow(rings: KeyRings, row: AdoptedRow): Record<string, unknown> | undefined {
  const key = { instance_id: row.id, version: 1, policy: row.rpc_policy };
  try {
    const instanceKey = openInstanceKey(rings, { ...row, encrypted_key: row.encrypted_key ?? '' });
    return {
      ...key,
      state: 'active',
      sealed_key: '',
      kcv: checkValueOf(instanceKey),
      uplink: sealUplink(rings, key, uplinkOf(instanceKey, row.rpc_policy)),
    };
  } catch {
    return undefined;
  }
}

/** Several taskmanagers may start at once. */
async function insertOnce(catalog: Catalog, row: Record<string, unknown>): Promise<number> {
  try {
    await catalog.knex('instance_keys').insert(row);
    return 1;
  } catch (error) {
    if (isDuplicate(error)) return 0;
    throw error;
  }
}
