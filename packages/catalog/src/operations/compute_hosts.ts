import type { Knex } from 'knex';
import { dbNow } from '../database_time.ts';
import type { ComputeHostRow } from '../tables.ts';

/** A host as a compute driver sees it; memory in MB, null where the driver does not know it. */
export interface SeenHost {
  readonly name: string;
  readonly servers: number;
  readonly totalRam: number | null;
  readonly usedRam: number | null;
}

/** A host that nobody has seen for this long was taken out of the configuration. */
const KEPT_MICROS = 24 * 3600 * 1_000_000;

/** Writes what was seen, several taskmanagers the same where they share their hosts. */
export async function recordHosts(executor: Knex, hosts: readonly SeenHost[]): Promise<void> {
  for (const { name, servers, totalRam, usedRam } of hosts) {
    await executor('compute_hosts')
      .insert({ name, servers, total_ram: totalRam, used_ram: usedRam, seen_at: dbNow(executor) })
      .onConflict('name')
      .merge();
  }
  await executor('compute_hosts')
    .where('seen_at', '<', executor.raw('? - ?', [dbNow(executor), KEPT_MICROS]))
    .delete();
}

export async function listHosts(executor: Knex): Promise<readonly SeenHost[]> {
  return (await executor<ComputeHostRow>('compute_hosts').orderBy('name')).map(toHost);
}

export async function readHost(executor: Knex, name: string): Promise<SeenHost | undefined> {
  const row = await executor<ComputeHostRow>('compute_hosts').where({ name }).first();
  return row === undefined ? undefined : toHost(row);
}

function toHost({ name, servers, total_ram, used_ram }: ComputeHostRow): SeenHost {
  const number = (value: ComputeHostRow['total_ram']): number | null => (value === null ? null : Number(value));
  return { name, servers, totalRam: number(total_ram), usedRam: number(used_ram) };
}
