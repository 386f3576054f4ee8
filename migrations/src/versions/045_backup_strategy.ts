import type { Migration } from './migration.ts';

export const backupStrategy: Migration = {
  version: 45,
  operations: [
    {
      kind: 'create_table',
      table: {
        name: 'backup_strategy',
        columns: {
          id: 'varchar(36) NOT NULL',
          tenant_id: 'varchar(36) NOT NULL',
          instance_id: 'varchar(36) NOT NULL',
          backend: 'varchar(255) NOT NULL',
          swift_container: 'varchar(255) NULL',
          created: 'datetime NULL',
        },
        primary: ['id'],
        uniques: { UQ_backup_strategy_tenant_id_instance_id: ['tenant_id', 'instance_id'] },
        indexes: { backup_strategy_tenant_id_instance_id: ['tenant_id', 'instance_id'] },
      },
    },
  ],
};
