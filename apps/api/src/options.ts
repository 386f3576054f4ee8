import { type ConfigOf, defineOptions, sharedOptions } from '@trove/common';
import type { ApiSettings } from './deps.ts';

/** What an api reads from its files and its environment. */
export const apiOptions = defineOptions([
  sharedOptions.bind_host,
  sharedOptions.bind_port,
  sharedOptions.transport_url,
  sharedOptions.sealed_transport_url,
  sharedOptions.control_exchange,
  sharedOptions.taskmanager_queue,
  sharedOptions.os_region_name,
  sharedOptions.debug,
  sharedOptions.log_level,
  sharedOptions.graceful_shutdown_timeout,
  sharedOptions.agent_heartbeat_expiry,
  sharedOptions.agent_call_low_timeout,
  sharedOptions.agent_call_high_timeout,
  sharedOptions.enable_secure_rpc_messaging,
  sharedOptions.taskmanager_rpc_encr_key,
  sharedOptions.allow_published_keys,
  sharedOptions.auth_strategy,
  sharedOptions.static_auth_tokens_file,
  sharedOptions.compute_driver,
  sharedOptions.max_instances_per_tenant,
  sharedOptions.max_ram_per_tenant,
  sharedOptions.max_volumes_per_tenant,
  sharedOptions.max_backups_per_tenant,
  sharedOptions.max_accepted_volume_size,
  sharedOptions.instances_page_size,
  sharedOptions.databases_page_size,
  sharedOptions.users_page_size,
  sharedOptions.health_host,
  sharedOptions.health_port,
  sharedOptions.database_connection,
  sharedOptions.rabbit_ssl,
  sharedOptions.rabbit_ssl_version,
  sharedOptions.rabbit_ssl_ca_file,
  sharedOptions.rabbit_ssl_cert_file,
  sharedOptions.rabbit_ssl_key_file,
  sharedOptions.ssl_ca_file,
  sharedOptions.ssl_cert_file,
  sharedOptions.ssl_key_file,
  sharedOptions.compute_local_root,
  sharedOptions.compute_local_flavors_file,
  sharedOptions.compute_local_image,
  sharedOptions.compute_docker_flavors_file,
  sharedOptions.compute_docker_image,
  {
    section: 'DEFAULT',
    name: 'default_datastore',
    type: 'string',
    help: 'Name or id of the datastore of a create that names none. Unset, such a create is refused.',
  },
  {
    section: 'DEFAULT',
    name: 'public_endpoint',
    type: 'string',
    help: 'Base of the links in the list of versions. Unset, it is the host that the client asked.',
  },
]);

export type ApiConfig = ConfigOf<typeof apiOptions>;

/** The settings that routes work by. */
export function settingsOf({ DEFAULT: defaults }: { DEFAULT: SettingsSource }): ApiSettings {
  return {
    regionName: defaults.os_region_name,
    pageSizes: {
      instances: defaults.instances_page_size,
      databases: defaults.databases_page_size,
      users: defaults.users_page_size,
    },
    heartbeatExpirySeconds: defaults.agent_heartbeat_expiry,
    guestPatienceMs: { low: defaults.agent_call_low_timeout * 1000, high: defaults.agent_call_high_timeout * 1000 },
    maxVolumeSize: defaults.max_accepted_volume_size,
    quotas: {
      backups: defaults.max_backups_per_tenant,
      instances: defaults.max_instances_per_tenant,
      ram: defaults.max_ram_per_tenant,
      volumes: defaults.max_volumes_per_tenant,
    },
    defaultDatastore: defaults.default_datastore,
    publicEndpoint: defaults.public_endpoint,
  };
}

type SettingsSource = Pick<
  ApiConfig['DEFAULT'],
  | 'os_region_name'
  | 'instances_page_size'
  | 'databases_page_size'
  | 'users_page_size'
  | 'agent_heartbeat_expiry'
  | 'agent_call_low_timeout'
  | 'agent_call_high_timeout'
  | 'max_accepted_volume_size'
  | 'max_instances_per_tenant'
  | 'max_ram_per_tenant'
  | 'max_volumes_per_tenant'
  | 'max_backups_per_tenant'
  | 'default_datastore'
  | 'public_endpoint'
>;
