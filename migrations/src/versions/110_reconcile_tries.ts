import type { Migration } from './migration.ts';

/** How often a difference was acted on in vain, and when last: it takes its turn again behind those that wait. */
export const reconcileTries: Migration = {
  version: 110,
  operations: [
    { kind: 'add_column', table: 'reconcile_findings', column: 'tries', type: 'int NOT NULL DEFAULT 0' },
    { kind: 'add_column', table: 'reconcile_findings', column: 'tried_at', type: 'bigint NULL' },
  ],
};
