import { accountsTables } from '../baseline/accounts.ts';
import { datastoresTables } from '../baseline/datastores.ts';
import { instancesTables } from '../baseline/instances.ts';
import type { Migration } from './migration.ts';

/** What Trove's own forty migrations end in. */
export const baseline: Migration = {
  version: 40,
  operations: [...datastoresTables, ...instancesTables, ...accountsTables].map((table) => ({
    kind: 'create_table',
    table,
  })),
};
