export { toBigint, toBigintOrNull } from './bigint.ts';
export { type Catalog, type CatalogOptions, openCatalog } from './catalog.ts';
export { dbNow, troveNow } from './database_time.ts';
export { type Dialect, dialectOf } from './dialect.ts';
export { isDuplicate, isTransient, isUnavailable } from './errors.ts';
export type {
  ConductorLastseenRow,
  DatabaseBigint,
  DatastoreRow,
  DatastoreVersionRow,
  DeploymentRow,
  Flag,
  InstanceFaultRow,
  InstanceKeyRow,
  InstanceReportRow,
  InstanceRow,
  QuotaRow,
  QuotaUsageRow,
  ReservationRow,
  ResourceRow,
  RpcInboxRow,
  ServiceStatusRow,
  TaskRow,
  TaskStepRow,
} from './tables.ts';
export { withTransaction } from './transaction.ts';
export { instanceIdCollation } from './operations/batch_rows.ts';
export { type LegacyReport, recordLegacyReports } from './operations/record_legacy_reports.ts';
export { recordSealedReports, type SealedReport } from './operations/record_sealed_reports.ts';
export type { QuotaAmounts } from './operations/quota.ts';
export { type ReserveQuota, reserveQuota } from './operations/reserve_quota.ts';
export { commitQuota, type QuotaOfInstance, releaseQuota } from './operations/settle_quota.ts';
