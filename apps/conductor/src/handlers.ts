import {
  type Catalog,
  claimArrival,
  ensureReportRow,
  type InstanceReportRow,
  instanceIdCollation,
  readKeyCheckValue,
  recordLegacyReports,
  recordSealedReports,
  wantHello,
  withTransaction,
} from '@trove/catalog';
import type { Logger } from '@trove/common';
import type { ConductorHandlers, EventReport, HeartbeatReport } from '@trove/crypto-rpc';
import { wakeInstances } from '@trove/tasks';
import { sortBatch } from './batch.ts';

/** How long the `_unique_id` of a legacy event, which does not say when it expires, is remembered. */
const LEGACY_KEPT_MS = 10 * 60_000;

export interface HandlerDeps {
  readonly catalog: Catalog;
  readonly logger: Logger;
}

/** What a conductor does with verified reports. */
export function conductorHandlers({ catalog, logger }: HandlerDeps): ConductorHandlers {
  let collation: Promise<string> | undefined;
  const idCollation = (): Promise<string> => {
    collation ??= instanceIdCollation(catalog.knex).catch((error: unknown) => {
      collation = undefined;
      throw error;
    });
    return collation;
  };

  const heartbeats = async (reports: readonly HeartbeatReport[]): Promise<void> => {
    const batch = sortBatch(reports);
    const collationText = await idCollation();
    if (batch.unknownStatuses.length > 0)
      logger.warn('heartbeats name unknown statuses', { statuses: batch.unknownStatuses });
    await withTransaction(catalog, async (tx) => {
      await recordSealedReports(tx, { reports: batch.sealed, idCollation: collationText });
      await recordLegacyReports(tx, { reports: batch.legacy, idCollation: collationText });
    });
    // A transaction of its own: tasks are locked before reports everywhere else, and a lost wake-up costs one wait only.
    const instanceIds = [...new Set(reports.map((report) => report.instanceId))];
    await withTransaction(catalog, (tx) => wakeInstances(tx, instanceIds));
  };

  /** Backups and root history do not exist in this release: said in the log, and not sent round again. */
  const event = async (report: EventReport): Promise<void> => {
    const { instanceId, messageId, method } = report;
    const arrival = {
      sender: `guest:${instanceId}`,
      messageId,
      expiresMs: report.expiresMs ?? Date.now() + LEGACY_KEPT_MS,
    };
    await withTransaction(catalog, async (tx) => {
      if (!(await isPresentBoot(tx, report)) || !(await claimArrival(tx, arrival))) return;
      logger.warn('report refused: this release has no such method', { method, instance_id: instanceId });
    });
  };

  const helloWanted = (instanceId: string): Promise<void> => wantHello(catalog.knex, instanceId);

  return { heartbeats, event, helloWanted };
}

type Transaction = Parameters<Parameters<typeof withTransaction>[1]>[0];

/**
 * An event of a boot that nobody has greeted changes nothing, and makes a taskmanager greet it. One whose key is no longer live
 * changes nothing.
 */
async function isPresentBoot(tx: Transaction, { instanceId, bootNonce, keyVersion }: EventReport): Promise<boolean> {
  if (bootNonce === null) return true;
  if (keyVersion === null || (await readKeyCheckValue(tx, { instanceId, version: keyVersion })) === undefined)
    return false;
  await ensureReportRow(tx, instanceId);
  const row = await tx<InstanceReportRow>('instance_reports')
    .where({ instance_id: instanceId, quarantined_at: null })
    .first('boot_nonce');
  if (row?.boot_nonce === bootNonce.toString('hex')) return true;
  await wantHello(tx, instanceId);
  return false;
}
