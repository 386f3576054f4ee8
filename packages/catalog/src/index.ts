export {
  catalogVersion,
  type Dialect,
  dialectOf,
  downgradeCatalog,
  LATEST_VERSION,
  MigrationError,
  type MigrationOptions,
  syncCatalog,
} from '@trove/migrations';
export { toBigint } from './bigint.ts';
export { type Catalog, type CatalogOptions, openCatalog, openServiceCatalog } from './catalog.ts';
export { catalogAnswers } from './catalog_answers.ts';
export { type CatalogClock, createCatalogClock } from './catalog_clock.ts';
export { startChecked } from './check_at_start.ts';
export type { BusTap, TappedOnBus } from './checks/bus_in_clear.ts';
export { checkInvariants, type InvariantDeps, type InvariantReport } from './checks/check_invariants.ts';
export { leftoversOfBuilds, ownershipOf, unsettledResources } from './checks/differences.ts';
export type { GuestEffects } from './checks/effects.ts';
export { effectsInLogs } from './checks/effects_in_logs.ts';
export { type CatalogFacts, readFacts } from './checks/facts.ts';
export { failedDeletes } from './checks/failed_deletes.ts';
export { type BrokerReading, markedAccounts, type OutsideThing } from './checks/outside.ts';
export { type RamOf } from './checks/quota_difference.ts';
export type { NamedSecret } from './checks/secret_forms.ts';
export { showsAction } from './checks/transient_status.ts';
export { requireCurrentCatalog } from './current_catalog.ts';
export { dbNow, troveNow } from './database_time.ts';
export { isDuplicate, isUnavailable, unavailableCatalog } from './errors.ts';
export { storeAdoptedUplinks } from './keys/adopted_uplinks.ts';
export { acceptRings, checkRings, claimRings } from './keys/key_checks.ts';
export {
  acceptOnlyPendingKey,
  activateKey,
  activeKeyVersion,
  agreedKeyVersion,
  beginBootstrap,
  eraseDeadKeys,
  type FencedKey,
  injectedKeyVersion,
  isBootstrapKey,
  leftKeyVersion,
  nextKeyVersion,
  type PendingKey,
  readInstanceKey,
  readKeyCheckValue,
  retireKeys,
  revokePendingKeys,
  storePendingKey,
} from './keys/key_operations.ts';
export { type KeyStatus, keyStatus, type Rewrapped, rewrapKeys } from './keys/key_status.ts';
export { type CatalogKeyStore, createKeyStore } from './keys/key_store.ts';
export { type OwedKey, owedKeys, owedPasswords, owedRotations, oweRotation, settlePassword } from './keys/owed.ts';
export type { KeyRings } from './keys/rings.ts';
export type { AllRings } from './keys/sealed_cells.ts';
export { openTaskSecret, sealTaskSecret } from './keys/task_secret.ts';
export { type UnsettledKey, unsettledKeys } from './keys/unsettled_keys.ts';
export { afterRestore } from './operations/after_restore.ts';
export { instanceIdCollation } from './operations/batch_rows.ts';
export {
  accountState,
  accountsToCheck,
  type CountedAccount,
  countAccount,
  forgetAccount,
  intendAccount,
  leftOverAccounts,
} from './operations/broker_accounts.ts';
export { claimWantedHellos } from './operations/claim_wanted_hellos.ts';
export { closeInstance } from './operations/close_instance.ts';
export { listHosts, readHost, recordHosts, type SeenHost } from './operations/compute_hosts.ts';
export { eraseTaskSecrets } from './operations/erase_task_secrets.ts';
export { type FoundSizes, followWorld } from './operations/follow_world.ts';
export { guestHeardAt } from './operations/guest_heard_at.ts';
export { handOverSlot } from './operations/hand_over_slot.ts';
export { insertInstance } from './operations/insert_instance.ts';
export {
  isServerKnown,
  lockInstance,
  renameInstance,
  replicasOf,
  setInstanceTask,
} from './operations/instance_writes.ts';
export { legacyInstancesToAsk, writeVolumeFigures } from './operations/legacy_volume_figures.ts';
export { type ObservedServer, serversToObserve, writeObservedStatus } from './operations/observed_servers.ts';
export { liftQuarantine, listQuarantine, wantHello } from './operations/quarantine.ts';
export { QUOTA_RESOURCES, type QuotaAmounts, type QuotaChange } from './operations/quota.ts';
export { readLimits, setLimits } from './operations/quota_limits.ts';
export {
  type DatastoreReading,
  listBoundFlavors,
  listDatastores,
  readDatastore,
  readDatastoreVersion,
} from './operations/read_datastores.ts';
export { type InstanceReading, listInstances, listInstancesOnHost, readInstance } from './operations/read_instances.ts';
export { type QuotaReading, readQuota } from './operations/read_quota.ts';
export {
  listTasks,
  readInstanceOwner,
  readTask,
  type TaskReading,
  type TaskStepReading,
} from './operations/read_tasks.ts';
export { clearFaults, recordFault } from './operations/record_fault.ts';
export { ensureReportRow, forgetBoot, type Hello, type HelloOutcome, recordHello } from './operations/record_hello.ts';
export { type LegacyReport, recordLegacyReports } from './operations/record_legacy_reports.ts';
export { recordSealedReports, type SealedReport } from './operations/record_sealed_reports.ts';
export { replaceTaskParams } from './operations/replace_task_params.ts';
export { type ReserveQuota, reserveGrowth, reserveQuota } from './operations/reserve_quota.ts';
export { intendResource, markResource, resourcesOfInstance } from './operations/resources.ts';
export { type Arrival, claimArrival, purgeArrivals } from './operations/rpc_inbox.ts';
export { commitQuota, type QuotaOfInstance, releaseQuota, settleGrowth } from './operations/settle_quota.ts';
export { updateDatastore } from './operations/update_datastore.ts';
export { type DatastoreVersionUpdate, updateDatastoreVersion } from './operations/update_datastore_version.ts';
export { type InstanceValues, writeInstance } from './operations/write_instance.ts';
export { writeServiceStatus } from './operations/write_service_status.ts';
export { PARKED_ERRORS } from './parked.ts';
export { freeDeadSlot, settleGone } from './reconcile/act_on_rows.ts';
export { compare, type Readings, subjectOf } from './reconcile/compare.ts';
export { correctQuota } from './reconcile/correct_quota.ts';
export { RECONCILE_KIND_NAMES, RECONCILE_KINDS, type ReconcileKind } from './reconcile/kinds.ts';
export {
  approveFindings,
  type ReconcileState,
  type RecordedFinding,
  readReconcileState,
  recordDifferences,
  recordTry,
} from './reconcile/reconcile_findings.ts';
export {
  endReconcilerTurn,
  holdReconciler,
  type ReconcilerTurn,
  renewReconcilerTurn,
  takeReconcilerTurn,
} from './reconcile/reconciler_lease.ts';
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
  KeyOwedRow,
  QuotaRow,
  QuotaUsageRow,
  ReservationRow,
  ResourceRow,
  RpcInboxRow,
  ServiceStatusRow,
  TaskRow,
  TaskStepRow,
} from './tables.ts';
export { UNFINISHED_STATES } from './task_states.ts';
export { withStatement, withTransaction } from './transaction.ts';
export { fitsTroveColumn } from './trove_text.ts';
