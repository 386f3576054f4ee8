import type { Migration } from './migration.ts';

/** For each setting that holds keys, one known text sealed under them: it tells a service that was given others. */
export const keyChecks: Migration = {
  version: 109,
  operations: [
    {
      kind: 'create_table',
      table: {
        name: 'key_checks',
        ours: true,
        columns: { setting: 'varchar(64) NOT NULL', sealed: 'varchar(255) NOT NULL' },
        primary: ['setting'],
      },
    },
  ],
};
