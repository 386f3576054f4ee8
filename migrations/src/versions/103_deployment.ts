import { randomUUID } from 'node:crypto';
import { dialectOf, microsecondsSql } from '../dialect.ts';
import type { Migration } from './migration.ts';

/** The name that everything made outside for this catalog carries. Made once, never changed. */
export const deployment: Migration = {
  version: 103,
  operations: [
    {
      kind: 'create_table',
      table: {
        name: 'deployment',
        ours: true,
        columns: { id: 'smallint NOT NULL', deployment_id: 'varchar(36) {id} NOT NULL', created: 'bigint NOT NULL' },
        primary: ['id'],
      },
    },
    {
      kind: 'change_data',
      up: async (executor, run) => {
        const row: unknown = await executor('deployment').first('id');
        if (row !== undefined) return;
        await run(
          `INSERT INTO deployment (id, deployment_id, created) VALUES (1, ?, ${microsecondsSql(dialectOf(executor))})`,
          [randomUUID()],
        );
      },
    },
  ],
};
