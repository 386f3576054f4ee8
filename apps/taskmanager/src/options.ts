import { type ConfigOf, defineOptions, sharedOptions } from '@trove/common';

/** What a taskmanager reads from its files and its environment. */
export const taskmanagerOptions = defineOptions([
  sharedOptions.transport_url,
  sharedOptions.sealed_transport_url,
  sharedOptions.guest_transport_url,
  sharedOptions.control_exchange,
  sharedOptions.host,
  sharedOptions.debug,
  sharedOptions.log_level,
  sharedOptions.graceful_shutdown_timeout,
  sharedOptions.report_interval,
  sharedOptions.agent_call_low_timeout,
  sharedOptions.agent_call_high_timeout,
  sharedOptions.enable_secure_rpc_messaging,
  sharedOptions.taskmanager_rpc_encr_key,
  sharedOptions.inst_rpc_key_encr_key,
  sharedOptions.inst_rpc_uplink_encr_key,
  sharedOptions.allow_published_keys,
  sharedOptions.at_rest_format,
  sharedOptions.taskmanager_queue,
  sharedOptions.conductor_queue,
  sharedOptions.health_host,
  sharedOptions.health_port,
  sharedOptions.compute_driver,
  sharedOptions.database_connection,
  {
    section: 'DEFAULT',
    name: 'broker_management_url',
    type: 'string',
    secret: true,
    help: "RabbitMQ's management API, `https://user:password@host:port`, as an administrator. Each sealed guest then has a broker account of its own, made and deleted with it. No other service needs this. Unset, sealed guests share the account of `sealed_transport_url`.",
  },
  {
    section: 'DEFAULT',
    name: 'broker_management_ca',
    type: 'string',
    help: 'The authorities, in PEM, that the management API is checked against. Needed for `https`.',
  },
  {
    section: 'DEFAULT',
    name: 'reconcile_interval',
    type: 'integer',
    default: 60,
    min: 0,
    unit: 's',
    help: 'How often one of the taskmanagers compares catalog and world; 0: this one never does.',
  },
  {
    section: 'DEFAULT',
    name: 'reconcile_grace',
    type: 'integer',
    default: 900,
    min: 0,
    unit: 's',
    help: 'For how long a difference has to stand before it is acted on, and how old a catalog has to be before anything is removed.',
  },
  {
    section: 'DEFAULT',
    name: 'reconcile_max_actions',
    type: 'integer',
    default: 10,
    min: 1,
    help: 'Differences that are acted on after one comparison: this many repairs, and this many removals.',
  },
  {
    section: 'DEFAULT',
    name: 'reconcile_dry_run',
    type: 'boolean',
    default: false,
    help: 'Differences are found and shown, and acted on only after `trove-manage reconcile --apply`.',
  },
  sharedOptions.rabbit_ssl,
  sharedOptions.rabbit_ssl_version,
  sharedOptions.rabbit_ssl_ca_file,
  sharedOptions.rabbit_ssl_cert_file,
  sharedOptions.rabbit_ssl_key_file,
  sharedOptions.ssl_ca_file,
  sharedOptions.ssl_cert_file,
  sharedOptions.ssl_key_file,
  sharedOptions.compute_local_root,
  sharedOptions.compute_local_user,
  sharedOptions.compute_local_network,
  sharedOptions.compute_local_flavors_file,
  sharedOptions.compute_local_image,
  sharedOptions.compute_docker_host,
  sharedOptions.compute_docker_ca_file,
  sharedOptions.compute_docker_cert_file,
  sharedOptions.compute_docker_key_file,
  sharedOptions.compute_docker_zone,
  sharedOptions.compute_docker_subnet,
  sharedOptions.compute_docker_public_address,
  sharedOptions.compute_docker_ports,
  sharedOptions.compute_docker_network,
  sharedOptions.compute_docker_flavors_file,
  sharedOptions.compute_docker_image,
]);

export type TaskmanagerConfig = ConfigOf<typeof taskmanagerOptions>;

/** The part of it that the service itself works by, wherever its bus, catalog and compute come from. */
export type TaskmanagerSettings = Pick<
  TaskmanagerConfig['DEFAULT'],
  | 'control_exchange'
  | 'host'
  | 'report_interval'
  | 'agent_call_low_timeout'
  | 'agent_call_high_timeout'
  | 'enable_secure_rpc_messaging'
  | 'taskmanager_queue'
  | 'conductor_queue'
>;

/** How it compares the catalog with the world. */
export type ReconcileSettings = Pick<
  TaskmanagerConfig['DEFAULT'],
  'reconcile_interval' | 'reconcile_grace' | 'reconcile_max_actions' | 'reconcile_dry_run'
>;
