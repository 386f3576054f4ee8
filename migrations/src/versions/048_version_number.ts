import type { Migration } from './migration.ts';

const table = 'datastore_versions';

export const versionNumber: Migration = {
  version: 48,
  operations: [
    { kind: 'add_column', table, column: 'version', type: 'varchar(255) NULL' },
    {
      kind: 'change_unique',
      table,
      name: 'ds_versions',
      from: ['datastore_id', 'name'],
      to: ['datastore_id', 'name', 'version'],
    },
  ],
};
