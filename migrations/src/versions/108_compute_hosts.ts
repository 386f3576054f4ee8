import type { Migration } from './migration.ts';

/** What runs servers, as taskmanagers last saw it, and which of them each instance's server is on. Memory in MB. */
export const computeHosts: Migration = {
  version: 108,
  operations: [
    { kind: 'add_column', table: 'instances', column: 'server_host', type: 'varchar(255) NULL' },
    {
      kind: 'create_table',
      table: {
        name: 'compute_hosts',
        ours: true,
        columns: {
          name: 'varchar(191) NOT NULL',
          servers: 'int NOT NULL',
          total_ram: 'bigint NULL',
          used_ram: 'bigint NULL',
          seen_at: 'bigint NOT NULL',
        },
        primary: ['name'],
      },
    },
  ],
};
