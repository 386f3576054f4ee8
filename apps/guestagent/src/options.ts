import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type ConfigOf, defineOptions, loadConfig, sharedOptions } from '@trove/common';

/** What the agent reads from its injected files: its own settings, and those of the control plane that concern it. */
export const guestOptions = defineOptions([
  {
    section: 'DEFAULT',
    name: 'guest_id',
    type: 'string',
    help: 'The id of the instance that this agent is on. Written by the taskmanager.',
  },
  {
    section: 'DEFAULT',
    name: 'tenant_id',
    type: 'string',
    help: 'The project that the instance belongs to. Written by the taskmanager.',
  },
  {
    section: 'DEFAULT',
    name: 'datastore_manager',
    type: 'string',
    help: 'Which datastore driver manages the database: mysql, mariadb or postgresql. Written by the taskmanager.',
  },
  {
    section: 'DEFAULT',
    name: 'datastore_version',
    type: 'string',
    help: "The name of the instance's datastore version. Written by the taskmanager.",
  },
  {
    section: 'DEFAULT',
    name: 'instance_rpc_encr_key',
    type: 'string',
    secret: true,
    help: "The instance's own key. With it the agent speaks sealed messages and nothing else, without it in clear. Written by the taskmanager, and by the agent when the key changes.",
  },
  {
    section: 'DEFAULT',
    name: 'instance_rpc_key_version',
    type: 'integer',
    default: 1,
    min: 1,
    help: "The version of the instance's key. Written by the taskmanager, and by the agent when the key changes.",
  },
  {
    section: 'DEFAULT',
    name: 'instance_rpc_bootstrap_until',
    type: 'integer',
    min: 0,
    help: 'Present on the key that a new server is given: it opens nothing but the agreement on another key, and nothing at all from then on (milliseconds since 1970). Written by the taskmanager, taken out by the agent.',
  },
  {
    section: 'DEFAULT',
    name: 'instance_rpc_pending_key',
    type: 'string',
    secret: true,
    help: 'A key that was agreed on and not proven yet. Written and taken out by the agent.',
  },
  {
    section: 'DEFAULT',
    name: 'instance_rpc_pending_version',
    type: 'integer',
    min: 1,
    help: 'The version of that key. Written and taken out by the agent.',
  },
  {
    section: 'DEFAULT',
    name: 'sealed_transport_passwords',
    type: 'list',
    secret: true,
    help: "Passwords that the guest's broker account may still have instead of the one in `sealed_transport_url`, while its key is being changed. Written and taken out by the agent.",
  },
  sharedOptions.transport_url,
  sharedOptions.sealed_transport_url,
  sharedOptions.control_exchange,
  sharedOptions.conductor_queue,
  sharedOptions.report_interval,
  sharedOptions.rabbit_ssl,
  sharedOptions.rabbit_ssl_version,
  sharedOptions.rabbit_ssl_ca_file,
  sharedOptions.debug,
  sharedOptions.log_level,
  sharedOptions.graceful_shutdown_timeout,
]);

export type GuestConfig = ConfigOf<typeof guestOptions>;

/** Reads the injected files, a later one winning, and nothing else: the environment may be the control plane's. */
export function loadGuestConfig(configFiles: readonly string[]): GuestConfig {
  return loadConfig({ files: configFiles, env: {}, options: guestOptions, service: 'trove-guestagent' });
}

/** A relative `ssl_ca_file` lies beside the file that was injected with it, wherever the server has that. */
export function withFilesBeside(config: GuestConfig, configFiles: readonly string[]): GuestConfig {
  const rabbit = config.oslo_messaging_rabbit;
  const { ssl_ca_file: name } = rabbit;
  if (name === undefined) return config;
  const found = configFiles.map((file) => resolve(dirname(file), name)).find((path) => existsSync(path));
  return { ...config, oslo_messaging_rabbit: { ...rabbit, ssl_ca_file: found ?? name } };
}
