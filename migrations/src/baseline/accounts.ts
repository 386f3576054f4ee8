import type { TableDefinition } from '../definition.ts';

/** Quotas, and what Trove keeps of networks, names, images and use. In an order in which each table's references already stand. */
export const accountsTables: readonly TableDefinition[] = [
  {
    name: 'quotas',
    columns: {
      id: 'varchar(36) NOT NULL',
      created: 'datetime NULL',
      updated: 'datetime NULL',
      tenant_id: 'varchar(36) NULL',
      resource: 'varchar(255) NOT NULL',
      hard_limit: 'int NULL',
    },
    primary: ['id'],
    uniques: {
      tenant_id: ['tenant_id', 'resource'],
    },
  },
  {
    name: 'quota_usages',
    columns: {
      id: 'varchar(36) NOT NULL',
      created: 'datetime NULL',
      updated: 'datetime NULL',
      tenant_id: 'varchar(36) NULL',
      in_use: 'int NULL',
      reserved: 'int NULL',
      resource: 'varchar(255) NOT NULL',
    },
    primary: ['id'],
    uniques: {
      tenant_id: ['tenant_id', 'resource'],
    },
  },
  {
    name: 'reservations',
    columns: {
      created: 'datetime NULL',
      updated: 'datetime NULL',
      id: 'varchar(36) NOT NULL',
      usage_id: 'varchar(36) NULL',
      delta: 'int NOT NULL',
      status: 'varchar(36) NULL',
    },
    primary: ['id'],
  },
  {
    name: 'security_groups',
    columns: {
      id: 'varchar(36) NOT NULL',
      name: 'varchar(255) NULL',
      description: 'varchar(255) NULL',
      user: 'varchar(255) NULL',
      tenant_id: 'varchar(255) NULL',
      created: 'datetime NULL',
      updated: 'datetime NULL',
      deleted: 'tinyint(1) NULL',
      deleted_at: 'datetime NULL',
    },
    primary: ['id'],
    flags: ['deleted'],
  },
  {
    name: 'security_group_rules',
    columns: {
      id: 'varchar(36) NOT NULL',
      group_id: 'varchar(36) NULL',
      parent_group_id: 'varchar(36) NULL',
      protocol: 'varchar(255) NULL',
      from_port: 'int NULL',
      to_port: 'int NULL',
      cidr: 'varchar(255) NULL',
      created: 'datetime NULL',
      updated: 'datetime NULL',
      deleted: 'tinyint(1) NULL',
      deleted_at: 'datetime NULL',
    },
    primary: ['id'],
    indexes: {
      group_id: ['group_id'],
      parent_group_id: ['parent_group_id'],
    },
    foreignKeys: {
      security_group_rules_ibfk_1: {
        column: 'group_id',
        table: 'security_groups',
        actions: 'ON DELETE CASCADE ON UPDATE CASCADE',
      },
      security_group_rules_ibfk_2: {
        column: 'parent_group_id',
        table: 'security_groups',
        actions: 'ON DELETE CASCADE ON UPDATE CASCADE',
      },
    },
    flags: ['deleted'],
  },
  {
    name: 'security_group_instance_associations',
    columns: {
      id: 'varchar(36) NOT NULL',
      security_group_id: 'varchar(36) NULL',
      instance_id: 'varchar(36) NULL',
      created: 'datetime NULL',
      updated: 'datetime NULL',
      deleted: 'tinyint(1) NULL',
      deleted_at: 'datetime NULL',
    },
    primary: ['id'],
    indexes: {
      security_group_id: ['security_group_id'],
      instance_id: ['instance_id'],
    },
    foreignKeys: {
      security_group_instance_associations_ibfk_1: {
        column: 'security_group_id',
        table: 'security_groups',
        actions: 'ON DELETE CASCADE ON UPDATE CASCADE',
      },
      security_group_instance_associations_ibfk_2: {
        column: 'instance_id',
        table: 'instances',
        actions: 'ON DELETE CASCADE ON UPDATE CASCADE',
      },
    },
    flags: ['deleted'],
  },
  {
    name: 'dns_records',
    columns: {
      name: 'varchar(255) NOT NULL',
      record_id: 'varchar(64) NULL',
    },
    primary: ['name'],
  },
  {
    name: 'service_images',
    columns: {
      id: 'varchar(36) NOT NULL',
      service_name: 'varchar(255) NULL',
      image_id: 'varchar(255) NULL',
    },
    primary: ['id'],
  },
  {
    name: 'usage_events',
    columns: {
      id: 'varchar(36) NOT NULL',
      instance_name: 'varchar(36) NULL',
      tenant_id: 'varchar(36) NULL',
      nova_instance_id: 'varchar(36) NULL',
      instance_size: 'int NULL',
      nova_volume_id: 'varchar(36) NULL',
      volume_size: 'int NULL',
      end_time: 'datetime NULL',
      updated: 'datetime NULL',
    },
    primary: ['id'],
  },
];
