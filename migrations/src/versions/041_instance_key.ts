import type { Migration } from './migration.ts';

/** Where an instance's key rests; null for one that is spoken to in clear. */
export const instanceKey: Migration = {
  version: 41,
  operations: [{ kind: 'add_column', table: 'instances', column: 'encrypted_key', type: 'varchar(255) NULL' }],
};
