import type { TableDefinition } from '../definition.ts';
import type { Migration } from './migration.ts';

const instanceReports: TableDefinition = {
  name: 'instance_reports',
  ours: true,
  columns: {
    instance_id: 'varchar(36) {id} NOT NULL',
    boot_nonce: 'varchar(32) NULL',
    sequence: 'bigint NULL',
    previous_nonce: 'varchar(32) NULL',
    nonce_since: 'bigint NULL',
    hello_wanted: 'bigint NULL',
    service_status: 'varchar(64) NULL',
    volume_used: 'double NULL',
    volume_total: 'double NULL',
    received_at: 'bigint NULL',
  },
  primary: ['instance_id'],
  indexes: { instance_reports_hello_wanted: ['hello_wanted'] },
};

const rpcInbox: TableDefinition = {
  name: 'rpc_inbox',
  ours: true,
  columns: {
    sender: 'varchar(64) NOT NULL',
    message_id: 'varchar(36) NOT NULL',
    expires: 'bigint NOT NULL',
  },
  primary: ['sender', 'message_id'],
  indexes: { rpc_inbox_expires: ['expires'] },
};

/** What guests report, which messages had their effect already, and where an instance is reached. */
export const reports: Migration = {
  version: 102,
  operations: [
    { kind: 'add_column', table: 'instances', column: 'addresses', type: 'text CHARACTER SET utf8mb4 NULL' },
    { kind: 'create_table', table: instanceReports },
    { kind: 'create_table', table: rpcInbox },
  ],
};
