import type { TableDefinition } from '../definition.ts';

/** What can be run, and how it is configured. In an order in which each table's references already stand. */
export const datastoresTables: readonly TableDefinition[] = [
  {
    name: 'datastores',
    columns: {
      id: 'varchar(36) NOT NULL',
      name: 'varchar(255) NULL',
      default_version_id: 'varchar(36) NULL',
    },
    primary: ['id'],
    uniques: {
      name: ['name'],
    },
  },
  {
    name: 'datastore_versions',
    columns: {
      id: 'varchar(36) NOT NULL',
      datastore_id: 'varchar(36) NULL',
      name: 'varchar(255) NULL',
      image_id: 'varchar(36) NOT NULL',
      packages: 'varchar(511) NULL',
      active: 'tinyint(1) NOT NULL',
      manager: 'varchar(255) NULL',
    },
    primary: ['id'],
    uniques: {
      ds_versions: ['datastore_id', 'name'],
    },
    foreignKeys: {
      datastore_versions_ibfk_1: { column: 'datastore_id', table: 'datastores' },
    },
    flags: ['active'],
  },
  {
    name: 'datastore_version_metadata',
    columns: {
      id: 'varchar(36) NOT NULL',
      datastore_version_id: 'varchar(36) NULL',
      key: 'varchar(128) NOT NULL',
      value: 'varchar(128) NULL',
      created: 'datetime NOT NULL',
      deleted: 'tinyint(1) NOT NULL',
      deleted_at: 'datetime NULL',
      updated_at: 'datetime NULL',
    },
    primary: ['id'],
    uniques: {
      UQ_datastore_version_metadata_datastore_version_id_key_value: ['datastore_version_id', 'key', 'value'],
    },
    foreignKeys: {
      datastore_version_metadata_ibfk_1: {
        column: 'datastore_version_id',
        table: 'datastore_versions',
        actions: 'ON DELETE CASCADE',
      },
    },
    flags: ['deleted'],
  },
  {
    name: 'datastore_configuration_parameters',
    columns: {
      id: 'varchar(36) NOT NULL',
      name: 'varchar(128) NOT NULL',
      datastore_version_id: 'varchar(36) NOT NULL',
      restart_required: 'tinyint(1) NOT NULL',
      max_size: 'varchar(40) NULL',
      min_size: 'varchar(40) NULL',
      data_type: 'varchar(128) NOT NULL',
      deleted: 'tinyint(1) NULL',
      deleted_at: 'datetime NULL',
    },
    primary: ['id', 'name', 'datastore_version_id'],
    uniques: {
      UQ_datastore_configuration_parameters_datastore_version_id_name: ['datastore_version_id', 'name'],
    },
    foreignKeys: {
      datastore_configuration_parameters_ibfk_1: { column: 'datastore_version_id', table: 'datastore_versions' },
    },
    flags: ['restart_required', 'deleted'],
  },
  {
    name: 'capabilities',
    columns: {
      id: 'varchar(36) NOT NULL',
      name: 'varchar(255) NULL',
      description: 'varchar(255) NOT NULL',
      enabled: 'tinyint(1) NULL',
    },
    primary: ['id'],
    uniques: {
      name: ['name'],
    },
    flags: ['enabled'],
  },
  {
    name: 'capability_overrides',
    columns: {
      id: 'varchar(36) NOT NULL',
      datastore_version_id: 'varchar(36) NULL',
      capability_id: 'varchar(36) NULL',
      enabled: 'tinyint(1) NULL',
    },
    primary: ['id'],
    uniques: {
      idx_datastore_capabilities_enabled: ['datastore_version_id', 'capability_id'],
    },
    indexes: {
      capability_id: ['capability_id'],
    },
    foreignKeys: {
      capability_overrides_ibfk_1: { column: 'datastore_version_id', table: 'datastore_versions' },
      capability_overrides_ibfk_2: { column: 'capability_id', table: 'capabilities' },
    },
    flags: ['enabled'],
  },
  {
    name: 'configurations',
    columns: {
      id: 'varchar(36) NOT NULL',
      name: 'varchar(64) NOT NULL',
      description: 'varchar(256) NULL',
      tenant_id: 'varchar(36) NOT NULL',
      datastore_version_id: 'varchar(36) NOT NULL',
      deleted: 'tinyint(1) NOT NULL',
      deleted_at: 'datetime NULL',
      created: 'datetime NULL',
      updated: 'datetime NULL',
    },
    primary: ['id'],
    flags: ['deleted'],
  },
  {
    name: 'configuration_parameters',
    columns: {
      configuration_id: 'varchar(36) NOT NULL',
      configuration_key: 'varchar(128) NOT NULL',
      configuration_value: 'varchar(128) NULL',
      deleted: 'tinyint(1) NOT NULL',
      deleted_at: 'datetime NULL',
    },
    primary: ['configuration_id', 'configuration_key'],
    foreignKeys: {
      configuration_parameters_ibfk_1: { column: 'configuration_id', table: 'configurations' },
    },
    flags: ['deleted'],
  },
];
