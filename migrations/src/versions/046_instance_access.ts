import type { Migration } from './migration.ts';

export const instanceAccess: Migration = {
  version: 46,
  operations: [{ kind: 'add_column', table: 'instances', column: 'access', type: 'text NULL' }],
};
