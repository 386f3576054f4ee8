import type { Migration } from './migration.ts';

export const clusterConfiguration: Migration = {
  version: 42,
  operations: [
    {
      kind: 'add_column',
      table: 'clusters',
      column: 'configuration_id',
      type: 'varchar(36) NULL',
      foreignKey: {
        name: 'clusters_ibfk_2',
        index: 'configuration_id',
        column: 'configuration_id',
        table: 'configurations',
      },
    },
  ],
};
