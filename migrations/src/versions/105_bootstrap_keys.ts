import type { Migration } from './migration.ts';

/** Until when a key that was injected into a server opens `hello` and `rotate_key`; null: a key that opens everything. */
export const bootstrapKeys: Migration = {
  version: 105,
  operations: [{ kind: 'add_column', table: 'instance_keys', column: 'bootstrap_until', type: 'bigint NULL' }],
};
