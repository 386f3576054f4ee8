import type { Knex } from 'knex';
import { dbNow, troveNow } from '../database_time.ts';
import { dialectOf } from '../dialect.ts';
import { type BatchColumn, batchTable } from './batch_rows.ts';
import { HELLO_EVERY_MICROS } from './quarantine.ts';

/** One heartbeat that opened under a guest's key. */
export interface SealedReport {
  readonly instance_id: string;
  /** 32 hex digits. */
  readonly boot_nonce: string;
  /** The version of the key that it opened under. */
  readonly key_version: number;
  readonly sequence: bigint;
  /** Trove's code and description; null where the heartbeat names none. */
  readonly status_id: number | null;
  readonly status_description: string | null;
  /** GiB; null where not told. */
  readonly volume_used: number | null;
  readonly volume_total: number | null;
}

const RESTART_REQUIRED = 32;

const COLUMNS: readonly BatchColumn[] = [
  { name: 'instance_id', type: 'id' },
  { name: 'boot_nonce', type: 'text' },
  { name: 'key_version', type: 'int' },
  { name: 'sequence', type: 'bigint' },
  { name: 'status_id', type: 'int' },
  { name: 'status_description', type: 'text' },
  { name: 'volume_used', type: 'double' },
  { name: 'volume_total', type: 'double' },
];

const KEY = 'k.instance_id = v.instance_id AND k.version = v.key_version';
const IS_LIVE = `k.state IN ('active', 'pending')`;

/**
 * What lets a report through: the present boot, a newer sequence, a living instance, and that the key which it opened under is
 * live now, whatever it was a moment ago. A join and no EXISTS: that one MariaDB would answer by reading all keys of all
 * instances.
 */
const GUARDS = `r.boot_nonce = v.boot_nonce AND r.sequence < v.sequence AND r.quarantined_at IS NULL AND i.deleted = 0 AND ${IS_LIVE}`;

/**
 * Writes a batch of heartbeats of v2 guests: the watermark moves and the figures change where, and only where, the boot nonce
 * is the stored one, the sequence is newer and its key is live. A boot nonce that is not the stored one changes nothing and raises
 * `hello_wanted`, once per instance and 10 s; so does a sequence that has gone back, as a resumed snapshot's has. In
 * quarantine nothing changes. A stored RESTART_REQUIRED stays. At most one report of one boot per instance.
 */
export async function recordSealedReports(
  tx: Knex.Transaction,
  args: { reports: readonly SealedReport[]; idCollation: string },
): Promise<void> {
  if (args.reports.length === 0) return;
  const sorted = args.reports.toSorted((a, b) => (a.instance_id < b.instance_id ? -1 : 1));
  const source = batchTable(tx, COLUMNS, args.idCollation);
  const changed =
    dialectOf(tx) === 'mysql' ? await applyInMysql(tx, source, sorted) : await applyInSqlite(tx, source, sorted);
  if (changed < 2 * sorted.length) await wantHellos(tx, source, sorted);
}

function asParameter(reports: readonly SealedReport[]): string {
  return JSON.stringify(reports.map((report) => ({ ...report, sequence: String(report.sequence) })));
}

/** How many rows changed in both tables. MySQL compares texts of two collations only as binary. */
async function applyInMysql(tx: Knex.Transaction, source: string, reports: readonly SealedReport[]): Promise<number> {
  const [result] = await tx.raw(
    `UPDATE ${source}
      STRAIGHT_JOIN instance_reports AS r ON r.instance_id = v.instance_id
      STRAIGHT_JOIN instances AS i ON i.id = v.instance_id
      STRAIGHT_JOIN instance_keys AS k ON ${KEY}
      LEFT JOIN service_statuses AS s ON s.instance_id = v.instance_id
      SET r.sequence = v.sequence, r.received_at = ?,
        r.service_status = COALESCE(v.status_description, r.service_status),
        r.volume_used = COALESCE(v.volume_used, r.volume_used), r.volume_total = COALESCE(v.volume_total, r.volume_total),
        s.updated_at = IF(s.status_id = ?, s.updated_at, ?),
        s.status_description = IF(s.status_id = ?, s.status_description, COALESCE(v.status_description, s.status_description)),
        s.status_id = IF(s.status_id = ?, s.status_id, COALESCE(v.status_id, s.status_id))
      WHERE ${GUARDS.replace('r.boot_nonce = v.boot_nonce', 'UNHEX(r.boot_nonce) = UNHEX(v.boot_nonce)')}`,
    [asParameter(reports), dbNow(tx), RESTART_REQUIRED, troveNow(tx), RESTART_REQUIRED, RESTART_REQUIRED],
  );
  return Number(result.affectedRows);
}

async function applyInSqlite(tx: Knex.Transaction, source: string, reports: readonly SealedReport[]): Promise<number> {
  const rows: { instance_id: string; boot_nonce: string }[] = await tx.raw(
    `SELECT v.instance_id, v.boot_nonce FROM ${source}
      JOIN instance_reports AS r ON r.instance_id = v.instance_id
      JOIN instances AS i ON i.id = v.instance_id
      JOIN instance_keys AS k ON ${KEY} WHERE ${GUARDS}`,
    [asParameter(reports)],
  );
  const taken = new Set(rows.map((row) => `${row.instance_id} ${row.boot_nonce}`));
  const accepted = asParameter(reports.filter((report) => taken.has(`${report.instance_id} ${report.boot_nonce}`)));
  await tx.raw(
    `UPDATE instance_reports AS r SET sequence = v.sequence, received_at = ?,
        service_status = COALESCE(v.status_description, r.service_status),
        volume_used = COALESCE(v.volume_used, r.volume_used), volume_total = COALESCE(v.volume_total, r.volume_total)
      FROM ${source} WHERE r.instance_id = v.instance_id AND r.boot_nonce = v.boot_nonce AND r.sequence < v.sequence`,
    [dbNow(tx), accepted],
  );
  await tx.raw(
    `UPDATE service_statuses AS s SET updated_at = ?, status_id = COALESCE(v.status_id, s.status_id),
        status_description = COALESCE(v.status_description, s.status_description)
      FROM ${source} WHERE s.instance_id = v.instance_id AND s.status_id <> ?`,
    [troveNow(tx), accepted, RESTART_REQUIRED],
  );
  return 2 * taken.size;
}

async function wantHellos(tx: Knex.Transaction, source: string, reports: readonly SealedReport[]): Promise<void> {
  const mysql = dialectOf(tx) === 'mysql';
  const differs = mysql ? 'UNHEX(r.boot_nonce) <> UNHEX(v.boot_nonce)' : 'r.boot_nonce <> v.boot_nonce';
  const onDuplicate = mysql
    ? 'ON DUPLICATE KEY UPDATE hello_wanted = VALUES(hello_wanted)'
    : 'ON CONFLICT (instance_id) DO UPDATE SET hello_wanted = excluded.hello_wanted';
  await tx.raw(
    `INSERT INTO instance_reports (instance_id, hello_wanted)
      SELECT v.instance_id, ? FROM ${source}
        JOIN instances AS i ON i.id = v.instance_id AND i.deleted = 0
        JOIN instance_keys AS k ON ${KEY} AND ${IS_LIVE}
        LEFT JOIN instance_reports AS r ON r.instance_id = v.instance_id
      WHERE (r.boot_nonce IS NULL OR ${differs} OR v.sequence < r.sequence) AND r.quarantined_at IS NULL AND (r.hello_wanted IS NULL OR ABS(r.hello_wanted) < ? - ?)
      ${onDuplicate}`,
    [dbNow(tx), asParameter(reports), dbNow(tx), HELLO_EVERY_MICROS],
  );
}
