import type { Migration } from './migration.ts';

/** Which codec each instance is spoken to with, and the versions of its key. A row that has a key already is Trove's: policy 1. */
export const rpcPolicy: Migration = {
  version: 100,
  operations: [
    { kind: 'add_column', table: 'instances', column: 'rpc_policy', type: 'smallint NOT NULL DEFAULT 0' },
    {
      kind: 'change_data',
      up: (_executor, run) =>
        run('UPDATE instances SET rpc_policy = 1 WHERE encrypted_key IS NOT NULL AND rpc_policy = 0'),
      // Sealed in a form that opens under its policy only: without the policy it is of no use.
      down: (_executor, run) => run("UPDATE instances SET encrypted_key = NULL WHERE encrypted_key LIKE 'v2.%'"),
    },
    {
      kind: 'create_table',
      table: {
        name: 'instance_keys',
        ours: true,
        columns: {
          instance_id: 'varchar(36) {id} NOT NULL',
          version: 'int NOT NULL',
          state: 'varchar(16) NOT NULL',
          sealed_key: 'varchar(255) NOT NULL',
          uplink: 'varchar(255) NOT NULL',
          kcv: 'varchar(12) NOT NULL',
          policy: 'smallint NOT NULL',
          exclusive_since: 'bigint NULL',
        },
        primary: ['instance_id', 'version'],
      },
    },
  ],
};
