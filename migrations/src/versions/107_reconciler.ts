import type { TableDefinition } from '../definition.ts';
import type { Migration } from './migration.ts';

const reconciler: TableDefinition = {
  name: 'reconciler',
  ours: true,
  columns: {
    id: 'smallint NOT NULL',
    lease_owner: 'varchar(255) NULL',
    lease_until: 'bigint NULL',
    run: 'bigint NOT NULL DEFAULT 0',
    ran_at: 'bigint NULL',
    held_since: 'bigint NULL',
  },
  primary: ['id'],
};

const reconcileFindings: TableDefinition = {
  name: 'reconcile_findings',
  ours: true,
  columns: {
    kind: 'varchar(32) NOT NULL',
    subject: 'varchar(255) NOT NULL',
    instance_id: 'varchar(36) {id} NULL',
    detail: 'varchar(255) NOT NULL',
    since: 'bigint NOT NULL',
    approved: 'smallint NOT NULL DEFAULT 0',
  },
  primary: ['kind', 'subject'],
};

/** Who compares the catalog with the world, and what it found there, since when. */
export const reconcilerTables: Migration = {
  version: 107,
  operations: [
    { kind: 'create_table', table: reconciler },
    {
      kind: 'change_data',
      up: async (executor, run) => {
        const row: unknown = await executor('reconciler').first('id');
        if (row === undefined) await run('INSERT INTO reconciler (id, run) VALUES (1, 0)');
      },
    },
    { kind: 'create_table', table: reconcileFindings },
  ],
};
