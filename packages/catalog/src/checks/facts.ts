import type { Knex } from 'knex';
import { toBigint } from '../bigint.ts';
import type { Catalog } from '../catalog.ts';
import { dbNow } from '../database_time.ts';
import type {
  DatabaseBigint,
  DeploymentRow,
  InstanceRow,
  QuotaUsageRow,
  ReservationRow,
  ResourceRow,
  TaskRow,
} from '../tables.ts';
import { UNFINISHED_STATES } from '../task_states.ts';
import { failedDeletes } from './failed_deletes.ts';

const INSTANCE_COLUMNS = [
  'id',
  'tenant_id',
  'compute_instance_id',
  'volume_id',
  'volume_size',
  'flavor_id',
  'task_id',
  'task_start_time',
  'updated',
  'server_status',
  'active_task_id',
  'rpc_policy',
] as const satisfies readonly (keyof InstanceRow)[];

const TASK_COLUMNS = [
  'id',
  'kind',
  'instance_id',
  'state',
  'error',
  'after_task',
] as const satisfies readonly (keyof TaskRow)[];

export type InstanceFacts = Pick<InstanceRow, (typeof INSTANCE_COLUMNS)[number]>;

export interface TaskFacts extends Pick<TaskRow, (typeof TASK_COLUMNS)[number]> {
  readonly deadline: bigint;
  readonly created: bigint;
  readonly updated: bigint;
}

/** The catalog as far as it is compared with the world, from one moment. Times are epoch microseconds of the database. */
export interface CatalogFacts {
  readonly now: bigint;
  readonly deploymentId: string;
  /** When this catalog became a deployment. */
  readonly createdAt: bigint;
  /** That are not deleted, by id. */
  readonly instances: ReadonlyMap<string, InstanceFacts>;
  /** Of the ids that were asked about: those that the catalog has, and has deleted. */
  readonly deleted: ReadonlySet<string>;
  /** That have not ended, and those that failed or were cancelled and left resources, by id. */
  readonly tasks: ReadonlyMap<string, TaskFacts>;
  /** Of every token that was asked about, and all that are not gone, by token. */
  readonly resources: ReadonlyMap<string, ResourceRow>;
  /** Instances with an unfinished task, its slot or not. */
  readonly atWork: ReadonlySet<string>;
  readonly usages: readonly QuotaUsageRow[];
  /** How many backups are not deleted, by project. */
  readonly backups: ReadonlyMap<string, number>;
  /** Instances that are deleted, or were never here, and whose keys rest here all the same. */
  readonly deadKeys: readonly string[];
  /** Instances whose delete has failed. */
  readonly failedDeletes: readonly string[];
  /** Amounts that are still reserved, by the reservation's id. */
  readonly reserved: ReadonlyMap<string, number>;
}

/** What was seen outside and is to be looked up. */
export interface Asked {
  readonly tokens: readonly string[];
  readonly instanceIds: readonly string[];
  /** This instance alone, without quota: cheap enough to be read before each act. */
  readonly only?: string;
  /** The task that asks: it does not count as one at work. */
  readonly except?: string;
}

/** Reads all of it in one snapshot, without locking anything on MySQL. */
export async function readFacts(catalog: Catalog, asked: Asked): Promise<CatalogFacts> {
  return await readInSnapshot(catalog, async (tx) => {
    const { now }: { now: DatabaseBigint } = await tx.select({ now: dbNow(tx) }).first();
    const deployment = await tx<DeploymentRow>('deployment').first('deployment_id', 'created');
    const { only } = asked;
    const instances = await tx<InstanceRow>('instances')
      .where({ deleted: 0, ...(only !== undefined && { id: only }) })
      .select(...INSTANCE_COLUMNS);
    const live = new Set(instances.map((row) => row.id));
    const resources = await readResources(tx, asked);
    const tasks = await readTasks(tx, only);
    const unfinished = tasks.filter((task) => isUnfinished(task) && task.id !== asked.except);
    return {
      now: toBigint(now),
      deploymentId: deployment?.deployment_id ?? '',
      createdAt: toBigint(deployment?.created ?? 0),
      instances: new Map(instances.map((row) => [row.id, row])),
      deleted: new Set(await readDeleted(tx, without(asked.instanceIds, live))),
      tasks: new Map(tasks.map((task) => [task.id, task])),
      resources: new Map(resources.map((row) => [row.token, row])),
      atWork: new Set(unfinished.map((task) => task.instance_id)),
      ...(only === undefined ? await readTheRest(tx) : NO_REST),
    };
  });
}

type Rest = Pick<CatalogFacts, 'backups' | 'deadKeys' | 'failedDeletes' | 'usages' | 'reserved'>;

const NO_REST: Rest = { backups: new Map(), deadKeys: [], failedDeletes: [], usages: [], reserved: new Map() };

async function readTheRest(tx: Knex.Transaction): Promise<Rest> {
  return {
    backups: await readBackups(tx),
    deadKeys: await readDeadKeys(tx),
    failedDeletes: await failedDeletes(tx),
    usages: await tx<QuotaUsageRow>('quota_usages').orderBy(['tenant_id', 'resource']).select(),
    reserved: await readReserved(tx),
  };
}

/** One moment of the catalog: SQLite's only writer waits meanwhile. */
export async function readInSnapshot<T>(catalog: Catalog, work: (tx: Knex.Transaction) => Promise<T>): Promise<T> {
  const options = catalog.dialect === 'mysql' ? { isolationLevel: 'repeatable read' as const } : {};
  return await catalog.knex.transaction(work, options);
}

export function isUnfinished({ state }: Pick<TaskRow, 'state'>): boolean {
  return UNFINISHED_STATES.includes(state);
}

/** What is left to ask about; in the usual case nothing. */
function without(values: readonly string[], known: ReadonlySet<string>): readonly string[] {
  return values.filter((value) => !known.has(value));
}

const CHUNK = 500;

async function inChunks<T>(values: readonly string[], read: (chunk: string[]) => Promise<T[]>): Promise<T[]> {
  const distinct = [...new Set(values)];
  const rows: T[] = [];
  for (let from = 0; from < distinct.length; from += CHUNK)
    rows.push(...(await read(distinct.slice(from, from + CHUNK))));
  return rows;
}

async function readResources(tx: Knex.Transaction, { tokens, only }: Asked): Promise<ResourceRow[]> {
  const held = await tx<ResourceRow>('resources')
    .whereNot({ state: 'gone' })
    .where(only === undefined ? {} : { instance_id: only })
    .select();
  const others = without(tokens, new Set(held.map((row) => row.token)));
  const asked = await inChunks(others, (chunk) => tx<ResourceRow>('resources').whereIn('token', chunk).select());
  return [...held, ...asked];
}

async function readDeleted(tx: Knex.Transaction, instanceIds: readonly string[]): Promise<string[]> {
  const rows = await inChunks(instanceIds, (chunk) =>
    tx<InstanceRow>('instances').whereIn('id', chunk).where({ deleted: 1 }).select('id'),
  );
  return rows.map((row) => row.id);
}

/** The unfinished ones, and those that ended badly and left something. */
async function readTasks(tx: Knex.Transaction, only: string | undefined): Promise<TaskFacts[]> {
  const columns = [...TASK_COLUMNS, 'deadline', 'created', 'updated'] as const;
  const of = only === undefined ? {} : { instance_id: only };
  const unfinished = await tx<TaskRow>('tasks')
    .whereIn('state', UNFINISHED_STATES)
    .where(of)
    .select(...columns);
  const left = tx('resources as r')
    .select('r.token')
    .whereRaw("r.instance_id = tasks.instance_id AND r.task_id = tasks.id AND r.state <> 'gone'");
  const failed = await tx<TaskRow>('tasks')
    .whereIn('state', ['failed', 'cancelled'])
    .where(of)
    .whereExists(left)
    .select(...columns);
  return [...failed, ...unfinished].map((row) => ({
    ...row,
    deadline: toBigint(row.deadline),
    created: toBigint(row.created),
    updated: toBigint(row.updated),
  }));
}

async function readReserved(tx: Knex.Transaction): Promise<Map<string, number>> {
  const rows = await tx<ReservationRow>('reservations').where({ status: 'Reserved' }).select('id', 'delta');
  return new Map(rows.map((row) => [row.id, row.delta]));
}

async function readBackups(tx: Knex.Transaction): Promise<Map<string, number>> {
  const rows: { tenant_id: string | null; total: number | string }[] = await tx('backups')
    .where({ deleted: 0 })
    .groupBy('tenant_id')
    .select('tenant_id')
    .count({ total: '*' });
  return new Map(rows.map((row) => [row.tenant_id ?? '', Number(row.total)]));
}

async function readDeadKeys(tx: Knex.Transaction): Promise<string[]> {
  const rows: { instance_id: string }[] = await tx('instance_keys as k')
    .leftJoin('instances as i', (join) => join.on('i.id', 'k.instance_id').andOnVal('i.deleted', 0))
    .whereNot({ 'k.state': 'retired' })
    .whereNull('i.id')
    .distinct('k.instance_id');
  return rows.map((row) => row.instance_id);
}
