import { type ConfigOf, defineOptions, sharedOptions } from '@trove/common';

/** What a conductor reads from its files and its environment. */
export const conductorOptions = defineOptions([
  sharedOptions.transport_url,
  sharedOptions.sealed_transport_url,
  sharedOptions.control_exchange,
  sharedOptions.host,
  sharedOptions.debug,
  sharedOptions.log_level,
  sharedOptions.graceful_shutdown_timeout,
  sharedOptions.enable_secure_rpc_messaging,
  sharedOptions.inst_rpc_key_encr_key,
  sharedOptions.inst_rpc_uplink_encr_key,
  sharedOptions.allow_published_keys,
  sharedOptions.allow_plaintext,
  sharedOptions.conductor_queue,
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
]);

export type ConductorConfig = ConfigOf<typeof conductorOptions>;

/** The part of it that the service itself works by, wherever its bus and catalog come from. */
export type ConductorSettings = Pick<
  ConductorConfig['DEFAULT'],
  'control_exchange' | 'conductor_queue' | 'host' | 'allow_plaintext'
>;
