import { isUuid } from '@trove/common';
import type { Knex } from 'knex';
import { dialectOf } from '../dialect.ts';
import type { DatabaseBigint, InstanceRow } from '../tables.ts';

/** An instance with all that its views show, from one query. */
export interface InstanceReading extends InstanceRow {
  service_status_id: number | null;
  service_updated_at: string | null;
  datastore_name: string | null;
  version_name: string | null;
  version_number: string | null;
  manager: string | null;
  image_id: string | null;
  /** GB, from the last report. */
  volume_used: number | null;
  configuration_name: string | null;
  fault_message: string | null;
  fault_details: string | null;
  fault_created: string | null;
  /** Ids of its replicas, comma-separated. */
  replica_ids: string | null;
  /** 1 while one of its backups is being made. */
  backup_running: DatabaseBigint;
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
  const rows = await query(executor, 'instances', 'WHERE i.id = ? AND i.deleted = 0', [instanceId]);
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
  const source = `(SELECT * FROM instances WHERE ${conditions.join(' AND ')} ORDER BY id LIMIT ?)`;
  return await query(executor, source, 'ORDER BY i.id', [...bindings, page.limit]);
}

const SELECTED = `SELECT i.*, s.status_id AS service_status_id, s.updated_at AS service_updated_at, d.name AS datastore_name,
  v.name AS version_name, v.version AS version_number, v.manager, v.image_id, r.volume_used, c.name AS configuration_name,
  f.message AS fault_message, f.details AS fault_details, f.created AS fault_created,
  (SELECT GROUP_CONCAT(n.id) FROM instances n WHERE n.slave_of_id = i.id AND n.deleted = 0) AS replica_ids,
  EXISTS (SELECT 1 FROM backups b WHERE b.instance_id = i.id AND b.deleted = 0
    AND b.state IN ('NEW', 'BUILDING', 'SAVING')) AS backup_running`;

const JOINED = `LEFT JOIN service_statuses s ON s.instance_id = i.id
  LEFT JOIN datastore_versions v ON v.id = i.datastore_version_id
  LEFT JOIN datastores d ON d.id = v.datastore_id
  LEFT JOIN configurations c ON c.id = i.configuration_id
  LEFT JOIN instance_reports r ON r.instance_id = i.id
  LEFT JOIN instance_faults f ON f.instance_id = i.id AND f.deleted = 0`;

async function query(
  executor: Knex,
  source: string,
  rest: string,
  bindings: readonly (string | number)[],
): Promise<InstanceReading[]> {
  const mysql = dialectOf(executor) === 'mysql';
  const now = mysql ? 'UTC_TIMESTAMP()' : "datetime('now')";
  const answer: unknown = await executor.raw(`${SELECTED}, ${now} AS read_at FROM ${source} i ${JOINED} ${rest}`, [
    ...bindings,
  ]);
  const rows: unknown = mysql && Array.isArray(answer) ? answer[0] : answer;
  return newestOfEach(rows as InstanceReading[]);
}

/** One row per instance, in the given order: of several service statuses or faults the newest counts. */
function newestOfEach(rows: readonly InstanceReading[]): InstanceReading[] {
  const byId = new Map<string, InstanceReading>();
  for (const row of rows) {
    const before = byId.get(row.id);
    if (before === undefined || age(before) < age(row)) byId.set(row.id, row);
  }
  return [...byId.values()];
}

function age(row: InstanceReading): string {
  return `${row.service_updated_at ?? ''} ${row.fault_created ?? ''}`;
}
