import type { Migration } from './migration.ts';

const table = 'datastore_configuration_parameters';

/** Rows that are marked as deleted go with the mark: without it they would be back. */
export const configurationParametersNotSoftDeleted: Migration = {
  version: 44,
  operations: [
    {
      kind: 'change_data',
      up: async (executor, run) => {
        if (await executor.schema.hasColumn(table, 'deleted')) await run(`DELETE FROM ${table} WHERE deleted = 1`);
      },
    },
    { kind: 'drop_column', table, column: 'deleted_at', type: 'datetime NULL' },
    { kind: 'drop_column', table, column: 'deleted', type: 'tinyint(1) NULL', flag: true },
  ],
};
