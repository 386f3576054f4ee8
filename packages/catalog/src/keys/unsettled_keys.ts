import type { Catalog } from '../catalog.ts';
import { dbNow } from '../database_time.ts';
import type { InstanceKeyRow } from '../tables.ts';

/** A key that is not simply an instance's: one that is pending, or one that was injected and has to be replaced. */
export interface UnsettledKey {
  readonly instanceId: string;
  readonly version: number;
  readonly state: 'pending' | 'active';
  /** Whether it was injected, and if so, whether its half hour goes on. */
  readonly injected: 'valid' | 'over' | null;
}

/** By instance and version. */
export async function unsettledKeys({ knex }: Catalog): Promise<readonly UnsettledKey[]> {
  const rows: (Pick<InstanceKeyRow, 'instance_id' | 'version' | 'state'> & { injected: UnsettledKey['injected'] })[] =
    await knex('instance_keys as k')
      .join('instances as i', 'i.id', 'k.instance_id')
      .where({ 'i.deleted': 0 })
      .where((query) => void query.where({ 'k.state': 'pending' }).orWhereNotNull('k.bootstrap_until'))
      .orderBy(['k.instance_id', 'k.version'])
      .select(
        'k.instance_id',
        'k.version',
        'k.state',
        knex.raw(
          "CASE WHEN k.bootstrap_until > ? THEN 'valid' WHEN k.bootstrap_until IS NOT NULL THEN 'over' END AS injected",
          [dbNow(knex)],
        ),
      );
  return rows.map(({ instance_id: instanceId, version, state, injected }) => ({
    instanceId,
    version,
    state: state === 'pending' ? 'pending' : 'active',
    injected,
  }));
}
