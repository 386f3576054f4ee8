import type { TableDefinition } from '../definition.ts';
import type { Migration } from './migration.ts';

const tasks: TableDefinition = {
  name: 'tasks',
  ours: true,
  columns: {
    id: 'varchar(36) {id} NOT NULL',
    kind: 'varchar(64) NOT NULL',
    instance_id: 'varchar(36) {id} NOT NULL',
    project_id: 'varchar(36) {id} NOT NULL',
    params: 'longtext NOT NULL',
    state: 'varchar(16) NOT NULL',
    step: 'varchar(64) NULL',
    attempt: 'int NOT NULL DEFAULT 0',
    lease_owner: 'varchar(255) NULL',
    lease_until: 'bigint NULL',
    fence: 'bigint NOT NULL DEFAULT 0',
    wake_at: 'bigint NULL',
    deadline: 'bigint NOT NULL',
    cancel_requested: 'smallint NOT NULL DEFAULT 0',
    after_task: 'varchar(36) {id} NULL',
    idempotency_key: 'varchar(255) NULL',
    request_hash: 'varchar(64) NULL',
    error: 'longtext NULL',
    code_version: 'int NOT NULL',
    created: 'bigint NOT NULL',
    updated: 'bigint NOT NULL',
  },
  primary: ['id'],
  uniques: { tasks_project_id_idempotency_key: ['project_id', 'idempotency_key'] },
  indexes: {
    tasks_instance_id: ['instance_id', 'created'],
    tasks_state_lease_until: ['state', 'lease_until'],
    tasks_state_wake_at: ['state', 'wake_at'],
    tasks_after_task: ['after_task'],
  },
};

const taskSteps: TableDefinition = {
  name: 'task_steps',
  ours: true,
  columns: {
    task_id: 'varchar(36) {id} NOT NULL',
    name: 'varchar(64) NOT NULL',
    state: 'varchar(16) NOT NULL',
    token: 'varchar(64) NOT NULL',
    output: 'longtext NULL',
    attempts: 'int NOT NULL DEFAULT 0',
    started: 'bigint NOT NULL',
    finished: 'bigint NULL',
  },
  primary: ['task_id', 'name'],
};

const resources: TableDefinition = {
  name: 'resources',
  ours: true,
  columns: {
    token: 'varchar(64) NOT NULL',
    kind: 'varchar(32) NOT NULL',
    external_id: 'varchar(255) NULL',
    instance_id: 'varchar(36) {id} NOT NULL',
    task_id: 'varchar(36) {id} NULL',
    state: 'varchar(16) NOT NULL',
  },
  primary: ['token'],
  indexes: { resources_instance_id: ['instance_id', 'kind'] },
};

/** Work as rows: the journal, who holds an instance's slot, and what was made outside. */
export const durableTasks: Migration = {
  version: 101,
  operations: [
    // No foreign key: the slot is taken and handed on in an order that one would forbid.
    { kind: 'add_column', table: 'instances', column: 'active_task_id', type: 'varchar(36) {id} NULL' },
    { kind: 'add_column', table: 'instances', column: 'fence', type: 'bigint NOT NULL DEFAULT 0' },
    { kind: 'create_table', table: tasks },
    { kind: 'create_table', table: taskSteps },
    { kind: 'create_table', table: resources },
  ],
};
