import type { Knex } from 'knex';
import { dbNow, troveNow } from '../database_time.ts';
import { dialectOf } from '../dialect.ts';
import { type BatchColumn, batchTable } from './batch_rows.ts';

/** One heartbeat of a guest that speaks `plaintext` or `v1`. */
export interface LegacyReport {
  readonly instance_id: string;
  /** The guest's UTC in epoch seconds; null where it told none, which Trove takes without a check. */
  readonly sent: number | null;
  readonly status_id: number | null;
  readonly status_description: string | null;
}

const RESTART_REQUIRED = 32;
const AHEAD_SECONDS = 60;

const COLUMNS: readonly BatchColumn[] = [
  { name: 'instance_id', type: 'id' },
  { name: 'sent', type: 'double' },
  { name: 'status_id', type: 'int' },
  { name: 'status_description', type: 'text' },
];

/** Only living instances of policy 0 or 1 that are not between two keys. A count: an EXISTS may read all keys of all instances. */
const GUARDS = `i.deleted = 0 AND i.rpc_policy < 2 AND (v.sent IS NULL OR l.sent < v.sent) AND 0 =
  (SELECT COUNT(*) FROM instance_keys AS p
    WHERE p.instance_id = v.instance_id AND p.state = 'pending' AND p.exclusive_since IS NOT NULL)`;

/**
 * Writes a batch of legacy heartbeats by Trove's stale rule: `conductor_lastseen` keeps the last `sent` of each instance, and
 * what is not newer is dropped whole. A `sent` more than 60 s ahead of the database counts as now. A stored RESTART_REQUIRED
 * stays. No row of `service_statuses` is ever made here. At most one report per instance.
 */
export async function recordLegacyReports(
  tx: Knex.Transaction,
  args: { reports: readonly LegacyReport[]; idCollation: string },
): Promise<void> {
  if (args.reports.length === 0) return;
  const sorted = args.reports.toSorted((a, b) => (a.instance_id < b.instance_id ? -1 : 1));
  const batch = {
    source: batchTable(tx, COLUMNS, args.idCollation),
    parameter: JSON.stringify(await withoutFuture(tx, sorted)),
  };
  if (dialectOf(tx) === 'sqlite') return applyInSqlite(tx, batch);
  const rowsPerReport = 3;
  if ((await applyInMysql(tx, batch)) >= rowsPerReport * sorted.length) return;
  await addMissingRows(tx, batch);
  await applyInMysql(tx, batch);
}

interface Batch {
  readonly source: string;
  readonly parameter: string;
}

async function withoutFuture(tx: Knex.Transaction, reports: readonly LegacyReport[]): Promise<LegacyReport[]> {
  const row: { now: string | number } | undefined = await tx.select({ now: dbNow(tx) }).first();
  const now = Number(row?.now) / 1e6;
  return reports.map((report) => ({ ...report, sent: clampSent(report.sent, now) }));
}

function clampSent(sent: number | null, now: number): number | null {
  return sent !== null && sent > now + AHEAD_SECONDS ? now : sent;
}

async function applyInMysql(tx: Knex.Transaction, batch: Batch): Promise<number> {
  const [result] = await tx.raw(
    `UPDATE ${batch.source}
      STRAIGHT_JOIN conductor_lastseen AS l ON l.instance_id = v.instance_id AND l.method_name = 'heartbeat'
      STRAIGHT_JOIN instance_reports AS r ON r.instance_id = v.instance_id
      STRAIGHT_JOIN instances AS i ON i.id = v.instance_id
      LEFT JOIN service_statuses AS s ON s.instance_id = v.instance_id
      SET l.sent = COALESCE(v.sent, l.sent), r.received_at = ?,
        r.service_status = COALESCE(v.status_description, r.service_status),
        s.updated_at = IF(s.status_id = ?, s.updated_at, ?),
        s.status_description = IF(s.status_id = ?, s.status_description, COALESCE(v.status_description, s.status_description)),
        s.status_id = IF(s.status_id = ?, s.status_id, COALESCE(v.status_id, s.status_id))
      WHERE ${GUARDS}`,
    [batch.parameter, dbNow(tx), RESTART_REQUIRED, troveNow(tx), RESTART_REQUIRED, RESTART_REQUIRED],
  );
  return Number(result.affectedRows);
}

/** The first heartbeat of an instance finds no watermark: one that everything is newer than. */
async function addMissingRows(tx: Knex.Transaction, batch: Batch): Promise<void> {
  const ignore = dialectOf(tx) === 'mysql' ? 'INSERT IGNORE INTO' : 'INSERT OR IGNORE INTO';
  const living = `FROM ${batch.source} JOIN instances AS i ON i.id = v.instance_id AND i.deleted = 0 AND i.rpc_policy < 2`;
  await tx.raw(
    `${ignore} conductor_lastseen (instance_id, method_name, sent) SELECT v.instance_id, 'heartbeat', -1 ${living}`,
    [batch.parameter],
  );
  await tx.raw(`${ignore} instance_reports (instance_id) SELECT v.instance_id ${living}`, [batch.parameter]);
}

async function applyInSqlite(tx: Knex.Transaction, batch: Batch): Promise<void> {
  await addMissingRows(tx, batch);
  const rows: unknown = await tx.raw(
    `SELECT v.* FROM ${batch.source}
      JOIN conductor_lastseen AS l ON l.instance_id = v.instance_id AND l.method_name = 'heartbeat'
      JOIN instances AS i ON i.id = v.instance_id WHERE ${GUARDS}`,
    [batch.parameter],
  );
  const accepted = JSON.stringify(rows);
  await tx.raw(
    `UPDATE conductor_lastseen AS l SET sent = COALESCE(v.sent, l.sent)
      FROM ${batch.source} WHERE l.instance_id = v.instance_id AND l.method_name = 'heartbeat'`,
    [accepted],
  );
  await tx.raw(
    `UPDATE instance_reports AS r SET received_at = ?, service_status = COALESCE(v.status_description, r.service_status)
      FROM ${batch.source} WHERE r.instance_id = v.instance_id`,
    [dbNow(tx), accepted],
  );
  await tx.raw(
    `UPDATE service_statuses AS s SET updated_at = ?, status_id = COALESCE(v.status_id, s.status_id),
        status_description = COALESCE(v.status_description, s.status_description)
      FROM ${batch.source} WHERE s.instance_id = v.instance_id AND s.status_id <> ?`,
    [troveNow(tx), accepted, RESTART_REQUIRED],
  );
}
