import {
  type Catalog,
  instanceIdCollation,
  recordLegacyReports,
  recordSealedReports,
  withTransaction,
} from '@trove/catalog';
import type { Logger } from '@trove/common';
import type { ConductorHandlers, EventReport, HeartbeatReport } from '@trove/crypto-rpc';
import { wakeInstances } from '@trove/tasks';
import { sortBatch } from './batch.ts';

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
    logger.warn('report refused: this release has no such method', {
      method: report.method,
      instance_id: report.instanceId,
    });
  };

  return { heartbeats, event };
}
