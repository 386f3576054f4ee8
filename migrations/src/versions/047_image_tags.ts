import type { Migration } from './migration.ts';

const table = 'datastore_versions';

/** A version names its image by id or by tags, so neither is needed. */
export const imageTags: Migration = {
  version: 47,
  operations: [
    { kind: 'add_column', table, column: 'image_tags', type: 'varchar(255) NULL' },
    { kind: 'change_column', table, column: 'image_id', from: 'varchar(36) NOT NULL', to: 'varchar(36) NULL' },
  ],
};
