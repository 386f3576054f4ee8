import type { Migration } from './migration.ts';

/** What is still to be done for a version of a guest's key, since when: `rotation`, `password`. */
export const keysOwed: Migration = {
  version: 111,
  operations: [
    {
      kind: 'create_table',
      table: {
        name: 'keys_owed',
        ours: true,
        columns: {
          instance_id: 'varchar(36) {id} NOT NULL',
          version: 'int NOT NULL',
          what: 'varchar(16) NOT NULL',
          since: 'bigint NOT NULL',
        },
        primary: ['instance_id', 'version', 'what'],
      },
    },
  ],
};
