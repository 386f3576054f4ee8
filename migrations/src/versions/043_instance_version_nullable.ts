import type { Migration } from './migration.ts';

export const instanceVersionNullable: Migration = {
  version: 43,
  operations: [
    {
      kind: 'change_column',
      table: 'instances',
      column: 'datastore_version_id',
      from: 'varchar(36) NOT NULL',
      to: 'varchar(36) NULL',
    },
  ],
};
