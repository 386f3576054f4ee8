import type { Catalog } from '@trove/catalog';
import { newUuid } from '@trove/common';
import type { House } from './house.ts';
import type { Scenario } from './scenario.ts';
import type { World } from './world.ts';

type Row = Record<string, string | number | null>;

/** Everything that a worker leaves when it dies at one point: what the next one, of whatever release, finds. */
export interface RecordedJournal {
  /** `create_server after_run` */
  readonly point: string;
  readonly instanceId: string;
  readonly taskId: string;
  /** Epoch microseconds. */
  readonly at: number;
  /** Rows of the catalog that have to do with the instance. */
  readonly tables: Readonly<Record<string, readonly Row[]>>;
  readonly servers: readonly object[];
  readonly volumes: readonly object[];
  readonly snapshots: readonly object[];
}

export interface Recording extends Pick<Scenario, 'kind' | 'ends'> {
  /** The catalog's version. */
  readonly catalog: number;
  readonly deploymentId: string;
  readonly codeVersion: number;
  /** The kind's steps as the release that recorded it has them; null where it does not say. */
  readonly steps: readonly string[] | null;
  readonly journals: readonly RecordedJournal[];
}

/** What is the catalog's own and not an instance's. */
const SHARED: readonly string[] = ['datastores', 'datastore_versions', 'deployment', 'migrate_version'];

export async function recordJournal(
  house: House,
  point: string,
  { id, taskId }: { id: string; taskId: string },
): Promise<RecordedJournal> {
  const { world, catalog } = house;
  const names: string[] = await catalog.knex('sqlite_master').where({ type: 'table' }).pluck('name');
  const tables: Record<string, Row[]> = {};
  for (const name of names.filter((one) => !SHARED.includes(one) && !one.startsWith('sqlite_'))) {
    const rows: Row[] = await catalog.knex(name).select();
    const own = rows.filter((row) => isAbout(row, [id, taskId, house.project]));
    if (own.length > 0) tables[name] = own;
  }
  return {
    ...{ point, instanceId: id, taskId, at: Date.now() * 1000, tables },
    servers: [...world.servers.values()].map((server) => structuredClone({ ...server, agent: undefined })),
    volumes: [...world.volumes.values()].map((volume) => structuredClone(volume)),
    snapshots: [...world.snapshots].map(([id_, snapshot]) => ({ ...structuredClone(snapshot), snapshotId: id_ })),
  };
}

function isAbout(row: Row, ids: readonly string[]): boolean {
  return Object.values(row).some((value) => ids.some((id) => typeof value === 'string' && value === id));
}

/** The datastore versions that the instances name. */
export async function restoreDatastores({ knex }: Catalog, journals: readonly RecordedJournal[]): Promise<void> {
  const named = journals.flatMap(({ tables }) => tables['instances'] ?? []).map((row) => row['datastore_version_id']);
  const datastore = newUuid();
  await knex('datastores').insert({ id: datastore, name: 'postgresql' });
  const version = { datastore_id: datastore, name: '18.4', version: '18.4', manager: 'postgresql' };
  for (const id of new Set(named))
    await knex('datastore_versions').insert({ id, ...version, image_id: newUuid(), packages: '', active: 1 });
}

/** Puts the rows into a catalog of the version that they were recorded with; the dead worker's lease is over. */
export async function restoreRows({ knex }: Catalog, journal: RecordedJournal): Promise<void> {
  const later = Date.now() * 1000 - journal.at;
  const { instances = [], tasks = [], instance_keys: keys = [], ...others } = journal.tables;
  await knex('instances').insert(instances);
  const moved = tasks.map((task) => ({
    ...task,
    deadline: Number(task['deadline']) + later,
    lease_until: task['lease_until'] === null ? null : 1,
    wake_at: task['wake_at'] === null ? null : 1,
  }));
  await knex('tasks').insert(moved);
  for (const { bootstrap_until: until = null, ...key } of keys)
    await knex('instance_keys').insert(until === null ? key : { ...key, bootstrap_until: Number(until) + later });
  for (const [name, rows] of Object.entries(others)) await knex(name).insert(rows);
}

/** A file with the end of its injected key as far ahead as it was. */
function withLaterEnd(file: string, laterMs: number): string {
  return file.replace(
    /^(instance_rpc_bootstrap_until=)(\d+)$/m,
    (_, option: string, until: string) => `${option}${Math.round(Number(until) + laterMs)}`,
  );
}

/** Puts back what was outside of the catalog; `startServer` starts what ran. */
export function restoreWorld(world: World, journal: RecordedJournal): readonly string[] {
  for (const volume of journal.volumes as Parameters<World['volumes']['set']>[1][])
    world.volumes.set(volume.id, volume);
  for (const one of journal.snapshots as (Parameters<World['snapshots']['set']>[1] & { snapshotId: string })[])
    world.snapshots.set(one.snapshotId, one);
  const laterMs = Date.now() - journal.at / 1000;
  const running: string[] = [];
  for (const server of journal.servers as Parameters<World['servers']['set']>[1][]) {
    if (server.running) running.push(server.id);
    const files = Object.fromEntries(
      Object.entries(server.files).map(([name, text]) => [name, withLaterEnd(text, laterMs)]),
    );
    world.servers.set(server.id, { ...server, files, agent: undefined, running: false });
  }
  return running;
}
