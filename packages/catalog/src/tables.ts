/**
 * The rows as the drivers give them. Trove's DATETIME columns are text `YYYY-MM-DD HH:MM:SS` in UTC; flags are 0 or 1;
 * our times are epoch microseconds of the database in a `DatabaseBigint`, which `toBigint` reads.
 */

/** A 64-bit column: text from MySQL, a number from SQLite (text beyond 2^53 − 1). A bigint may be written. */
export type DatabaseBigint = string | number | bigint;
export type Flag = 0 | 1;

export interface InstanceRow {
  id: string;
  created: string | null;
  updated: string | null;
  name: string | null;
  hostname: string | null;
  compute_instance_id: string | null;
  task_id: number | null;
  task_description: string | null;
  task_start_time: string | null;
  volume_id: string | null;
  flavor_id: string | null;
  volume_size: number | null;
  tenant_id: string | null;
  server_status: string | null;
  deleted: Flag | null;
  deleted_at: string | null;
  datastore_version_id: string | null;
  configuration_id: string | null;
  slave_of_id: string | null;
  cluster_id: string | null;
  shard_id: string | null;
  type: string | null;
  region_id: string | null;
  /** The guest's key at rest (`keys/at_rest.ts`); null for an instance that is spoken to in clear. */
  encrypted_key: string | null;
  /** JSON. */
  access: string | null;
  /** 0 plaintext, 1 v1, 2 v2. Only ever raised. */
  rpc_policy: number;
  /** The task that holds the instance's slot. */
  active_task_id: string | null;
  fence: DatabaseBigint;
  /** JSON of the contracts' `ServerAddress[]`. */
  addresses: string | null;
  /** Where the server was last seen. */
  server_host: string | null;
}

/** Memory in MB. */
export interface ComputeHostRow {
  name: string;
  servers: number;
  total_ram: DatabaseBigint | null;
  used_ram: DatabaseBigint | null;
  seen_at: DatabaseBigint;
}

export interface ServiceStatusRow {
  id: string;
  /** Not unique in an adopted catalog. */
  instance_id: string;
  status_id: number;
  status_description: string;
  updated_at: string | null;
}

export interface InstanceFaultRow {
  id: string;
  instance_id: string;
  message: string;
  details: string;
  created: string;
  updated: string;
  deleted: Flag;
  deleted_at: string | null;
}

export interface ConductorLastseenRow {
  instance_id: string;
  method_name: string;
  /** Seconds since 1970. */
  sent: number | null;
}

export interface DatastoreRow {
  id: string;
  name: string | null;
  default_version_id: string | null;
}

export interface DatastoreVersionRow {
  id: string;
  datastore_id: string | null;
  name: string | null;
  image_id: string | null;
  /** Comma-separated. */
  packages: string | null;
  active: Flag;
  manager: string | null;
  /** Comma-separated. */
  image_tags: string | null;
  version: string | null;
}

export interface QuotaRow {
  id: string;
  created: string | null;
  updated: string | null;
  tenant_id: string | null;
  resource: string;
  hard_limit: number | null;
}

export interface QuotaUsageRow {
  id: string;
  created: string | null;
  updated: string | null;
  tenant_id: string | null;
  in_use: number | null;
  reserved: number | null;
  resource: string;
}

export interface ReservationRow {
  created: string | null;
  updated: string | null;
  id: string;
  usage_id: string | null;
  delta: number;
  status: string | null;
}

export interface TaskRow {
  id: string;
  kind: string;
  instance_id: string;
  project_id: string;
  /** JSON. */
  params: string;
  state: 'pending' | 'running' | 'waiting' | 'compensating' | 'done' | 'failed' | 'cancelled';
  step: string | null;
  /** JSON: the names of all its steps, in order, as the release knows them that last worked on it. */
  step_names: string | null;
  attempt: number;
  lease_owner: string | null;
  lease_until: DatabaseBigint | null;
  fence: DatabaseBigint;
  wake_at: DatabaseBigint | null;
  deadline: DatabaseBigint;
  cancel_requested: Flag;
  after_task: string | null;
  idempotency_key: string | null;
  request_hash: string | null;
  /** JSON of code and message. */
  error: string | null;
  code_version: number;
  created: DatabaseBigint;
  updated: DatabaseBigint;
}

export interface TaskStepRow {
  task_id: string;
  name: string;
  state: 'intent' | 'done' | 'failed' | 'undone';
  token: string;
  /** JSON. */
  output: string | null;
  attempts: number;
  started: DatabaseBigint;
  finished: DatabaseBigint | null;
}

export interface ResourceRow {
  token: string;
  kind: 'server' | 'volume' | 'address' | 'broker_account' | 'queue' | 'key' | 'snapshot';
  external_id: string | null;
  instance_id: string;
  task_id: string | null;
  state: 'intent' | 'live' | 'deleting' | 'gone';
}

export interface InstanceReportRow {
  instance_id: string;
  /** 32 hex digits, as the last `hello` told it. */
  boot_nonce: string | null;
  sequence: DatabaseBigint | null;
  previous_nonce: string | null;
  nonce_since: DatabaseBigint | null;
  hello_wanted: DatabaseBigint | null;
  /** Since when two guests are known to speak under its key; null: it is spoken to. */
  quarantined_at: DatabaseBigint | null;
  /** Trove's description of the status, as `service_statuses.status_description`. */
  service_status: string | null;
  /** GiB. */
  volume_used: number | null;
  volume_total: number | null;
  received_at: DatabaseBigint | null;
}

export interface InstanceKeyRow {
  instance_id: string;
  version: number;
  state: 'pending' | 'active' | 'retired';
  /** Ki at rest under the KEK. */
  sealed_key: string;
  /** Kup at rest under the uplink KEK. */
  uplink: string;
  /** 12 hex digits. */
  kcv: string;
  /** The policy that this key is used under; part of what authenticates the two sealed columns. */
  policy: number;
  /** When the old server of an upgrade was stopped: from then on nothing but this pending key is accepted. */
  exclusive_since: DatabaseBigint | null;
  /** Until when a key that was injected into a server opens `hello` and `rotate_key`; null: it opens everything. */
  bootstrap_until: DatabaseBigint | null;
}

export interface KeyCheckRow {
  /** `taskmanager_rpc_encr_key`, `inst_rpc_key_encr_key` or `inst_rpc_uplink_encr_key`. */
  setting: string;
  /** A known text, at rest under one of the setting's keys. */
  sealed: string;
}

export interface KeyOwedRow {
  instance_id: string;
  version: number;
  /** `rotation`: it stands in the files of a server. `password`: the broker was not given the one that goes with it. */
  what: 'rotation' | 'password';
  since: DatabaseBigint;
}

export interface RpcInboxRow {
  sender: string;
  message_id: string;
  expires: DatabaseBigint;
}

export interface DeploymentRow {
  /** Always 1: the table has one row. */
  id: number;
  deployment_id: string;
  created: DatabaseBigint;
}

export interface ReconcilerRow {
  /** Always 1: the table has one row. */
  id: number;
  lease_owner: string | null;
  lease_until: DatabaseBigint | null;
  /** Counts the runs; it goes down only where the catalog was restored. */
  run: DatabaseBigint;
  /** When the last run ended. */
  ran_at: DatabaseBigint | null;
  /** Since when nothing is deleted, because a running taskmanager saw the catalog restored. */
  held_since: DatabaseBigint | null;
}

export interface ReconcileFindingRow {
  kind: string;
  subject: string;
  instance_id: string | null;
  detail: string;
  /** When it was first seen, and seen in each run ever since. */
  since: DatabaseBigint;
  /** By an operator: to be acted on whatever its age. */
  approved: Flag;
  /** How often it has been acted on, and stood all the same. */
  tries: number;
  tried_at: DatabaseBigint | null;
}
