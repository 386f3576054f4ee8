import type { Migration } from './migration.ts';

/** Since when an instance is in quarantine: two guests spoke under its key. */
export const quarantine: Migration = {
  version: 104,
  operations: [{ kind: 'add_column', table: 'instance_reports', column: 'quarantined_at', type: 'bigint NULL' }],
};
