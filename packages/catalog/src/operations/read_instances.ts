import { isUuid } from '@trove/common';
import type { Knex } from 'knex';
import { dialectOf } from '../dialect.ts';
import type { InstanceRow } from '../tables.ts';

/** What its views show of an instance's own row; never its key. */
const COLUMNS = [
  'id',
  'created',
  'updated',
  'name',
  'compute_instance_id',
  'task_id',
  'volume_id',
  'flavor_id',
  'volume_size',
  'tenant_id',
  'server_status',
  'datastore_version_id',
  'configuration_id',
  'slave_of_id',
  'cluster_id',
  'shard_id',
  'region_id',
  'access',
  'rpc_policy',
  'addresses',
] as const satisfies readonly (keyof InstanceRow)[];

/** An instance with all that its views show, from one query. */
export interface InstanceReading extends Pick<InstanceRow, (typeof COLUMNS)[number]> {
  service_status_id: number | null;
  service_updated_at: string | null;
  datastore_name: string | null;
  version_name: string | null;
  version_number: string | null;
  manager: string | null;
  /** GB, from the last report. */
  volume_used: number | null;
  configuration_name: string | null;
  fault_message: string | null;
  fault_details: string | null;
  /** When it was last written: one row says one failure after the other, and Trove shows this time as the fault's own. */
  fault_created: string | null;
  /** One of its backups that is being made, if any. */
  running_backup_id: string | null;
  /** Of its replicas. */
  replica_ids: readonly string[];
  /** When this was read: UTC, `YYYY-MM-DD HH:MM:SS`. */
  read_at: string;
}

export interface InstancePage {
  projectId: string;
  /** Rows at most. */
  limit: number;
  /** The last id of the page before. */
  marker?: string | undefined;
  includeClustered: boolean;
}

/** The instance that is not deleted, in whatever project; undefined where there is none of that id. */
export async function readInstance(executor: Knex, instanceId: string): Promise<InstanceReading | undefined> {
  if (!isUuid(instanceId)) return undefined;
  const rows = await query(executor, 'instances i', 'WHERE i.id = ? AND i.deleted = 0', [instanceId]);
  return rows[0];
}

/** A project's instances that are not deleted, by id. */
export async function listInstances(executor: Knex, page: InstancePage): Promise<InstanceReading[]> {
  const conditions = ['tenant_id = ?', 'deleted = 0'];
  const bindings: (string | number)[] = [page.projectId];
  if (!page.includeClustered) conditions.push('cluster_id IS NULL');
  if (page.marker !== undefined) {
    conditions.push('id > ?');
    bindings.push(page.marker);
  }
  // The page is cut before the joins: an instance may have several rows in the tables that are joined.
  const pageIds = `(SELECT id FROM instances WHERE ${conditions.join(' AND ')} ORDER BY id LIMIT ?)`;
  const rows = await query(executor, `${pageIds} p JOIN instances i ON i.id = p.id`, '', [...bindings, page.limit]);
  // Sorted here: in the database it would be a temporary table of whole rows.
  return rows.sort((one, other) => (one.id < other.id ? -1 : 1));
}

/** All that are not deleted and whose servers were last seen on this host, by id. */
export async function listInstancesOnHost(executor: Knex, host: string): Promise<InstanceReading[]> {
  const rows = await query(executor, 'instances i', 'WHERE i.server_host = ? AND i.deleted = 0', [host]);
  return rows.sort((one, other) => (one.id < other.id ? -1 : 1));
}

const SELECTED = `SELECT ${COLUMNS.map((column) => `i.${column}`).join(', ')},
  s.status_id AS service_status_id, s.updated_at AS service_updated_at, d.name AS datastore_name,
  v.name AS version_name, v.version AS version_number, v.manager, r.volume_used, c.name AS configuration_name,
  f.message AS fault_message, f.details AS fault_details, f.updated AS fault_created,
  n.id AS replica_id, b.id AS running_backup_id`;

const JOINED = `LEFT JOIN service_statuses s ON s.instance_id = i.id
  LEFT JOIN datastore_versions v ON v.id = i.datastore_version_id
  LEFT JOIN datastores d ON d.id = v.datastore_id
  LEFT JOIN configurations c ON c.id = i.configuration_id
  LEFT JOIN instance_reports r ON r.instance_id = i.id
  LEFT JOIN instance_faults f ON f.instance_id = i.id AND f.deleted = 0
  LEFT JOIN instances n ON n.slave_of_id = i.id AND n.deleted = 0
  LEFT JOIN backups b ON b.instance_id = i.id AND b.deleted = 0 AND b.state IN ('NEW', 'BUILDING', 'SAVING')`;

type JoinedRow = Omit<InstanceReading, 'replica_ids'> & { replica_id: string | null };

async function query(
  executor: Knex,
  source: string,
  condition: string,
  bindings: readonly (string | number)[],
): Promise<InstanceReading[]> {
  const mysql = dialectOf(executor) === 'mysql';
  const now = mysql ? 'UTC_TIMESTAMP()' : "datetime('now')";
  const answer: unknown = await executor.raw(`${SELECTED}, ${now} AS read_at FROM ${source} ${JOINED} ${condition}`, [
    ...bindings,
  ]);
  const rows: unknown = mysql && Array.isArray(answer) ? answer[0] : answer;
  return merge(rows as JoinedRow[]);
}

/** One reading per instance: of several service statuses or faults the newest counts, replicas are gathered. */
function merge(rows: readonly JoinedRow[]): InstanceReading[] {
  const readings = new Map<string, InstanceReading>();
  for (const { replica_id, ...row } of rows) {
    const before = readings.get(row.id);
    const known = before?.replica_ids ?? [];
    const replica_ids = replica_id === null || known.includes(replica_id) ? known : [...known, replica_id];
    const newest = before === undefined || age(before) < age(row) ? row : before;
    readings.set(row.id, { ...newest, replica_ids });
  }
  return [...readings.values()];
}

function age(row: Pick<InstanceReading, 'service_updated_at' | 'fault_created'>): string {
  return `${row.service_updated_at ?? ''} ${row.fault_created ?? ''}`;
}
