/** The columns of `instances` in Trove's catalog at its migration 40, in their order, by kind of type. */
export const OLD_COLUMNS: Readonly<Record<string, string>> = {
  id: 'varchar(36)',
  created: 'datetime',
  updated: 'datetime',
  name: 'varchar(255)',
  hostname: 'varchar(255)',
  compute_instance_id: 'varchar(36)',
  task_id: 'int',
  task_description: 'varchar(255)',
  task_start_time: 'datetime',
  volume_id: 'varchar(36)',
  flavor_id: 'varchar(255)',
  volume_size: 'int',
  tenant_id: 'varchar(36)',
  server_status: 'varchar(64)',
  deleted: 'bool',
  deleted_at: 'datetime',
  datastore_version_id: 'varchar(36)',
  configuration_id: 'varchar(36)',
  slave_of_id: 'varchar(36)',
  cluster_id: 'varchar(36)',
  shard_id: 'varchar(36)',
  type: 'varchar(64)',
  region_id: 'varchar(255)',
};

/** MariaDB says `int(11)` and `tinyint(1)` where MySQL 8 says `int` and SQLite `integer` and `boolean`. */
export function normalType(type: string): string {
  const lower = type.toLowerCase();
  if (/^tinyint|^bool/.test(lower)) return 'bool';
  return lower.startsWith('int') ? 'int' : lower;
}
