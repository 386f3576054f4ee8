import { baseline } from './040_baseline.ts';
import { instanceKey } from './041_instance_key.ts';
import { clusterConfiguration } from './042_cluster_configuration.ts';
import { instanceVersionNullable } from './043_instance_version_nullable.ts';
import { configurationParametersNotSoftDeleted } from './044_configuration_parameters_not_soft_deleted.ts';
import { backupStrategy } from './045_backup_strategy.ts';
import { instanceAccess } from './046_instance_access.ts';
import { imageTags } from './047_image_tags.ts';
import { versionNumber } from './048_version_number.ts';
import { rpcPolicy } from './100_rpc_policy.ts';
import { durableTasks } from './101_tasks.ts';
import { reports } from './102_reports.ts';
import { deployment } from './103_deployment.ts';
import { quarantine } from './104_quarantine.ts';
import { bootstrapKeys } from './105_bootstrap_keys.ts';
import { taskStepNames } from './106_task_step_names.ts';
import { reconcilerTables } from './107_reconciler.ts';
import { computeHosts } from './108_compute_hosts.ts';
import { keyChecks } from './109_key_checks.ts';
import { reconcileTries } from './110_reconcile_tries.ts';
import { keysOwed } from './111_keys_owed.ts';
import { taskSecrets } from './112_task_secrets.ts';
import type { Migration } from './migration.ts';

/** In order. 40 to 48 are numbered as Trove's own and do what those do; ours start at 100. */
export const MIGRATIONS: readonly Migration[] = [
  baseline,
  instanceKey,
  clusterConfiguration,
  instanceVersionNullable,
  configurationParametersNotSoftDeleted,
  backupStrategy,
  instanceAccess,
  imageTags,
  versionNumber,
  rpcPolicy,
  durableTasks,
  reports,
  deployment,
  quarantine,
  bootstrapKeys,
  taskStepNames,
  reconcilerTables,
  computeHosts,
  keyChecks,
  reconcileTries,
  keysOwed,
  taskSecrets,
];

export const LATEST_VERSION: number = MIGRATIONS.at(-1)?.version ?? 0;
