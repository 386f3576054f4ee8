import { LEGACY_VHOST, VHOST } from './broker_definitions.ts';
import type { DatabaseAccount } from './database_accounts.ts';
import type { StackSecrets } from './secrets.ts';

/** The names of the services in docker-compose.yml, by which they find one another. */
const BROKER = 'rabbitmq';
const DATABASE = 'mysql';
export const CATALOG = 'trove';

const HEAD =
  '# Written by `trove-stack init` when this file was missing; yours from then on. Options: docs/configuration.md.\n';

/** A service's file has this service's secrets and nobody else's. */
export function serviceFiles(secrets: StackSecrets): Readonly<Record<string, string>> {
  return {
    'api/trove.conf': `${HEAD}[DEFAULT]
transport_url = ${bus('trove-api', secrets.brokerApi, VHOST)}
taskmanager_rpc_encr_key = ${secrets.controlKey}
auth_strategy = static

[database]
connection = ${catalog('trove_api', secrets.databaseApi)}

[static_auth]
tokens_file = /etc/trove/tokens.json
`,
    'taskmanager/trove-taskmanager.conf': `${HEAD}[DEFAULT]
# Legacy guests, where there are any, share this account.
transport_url = ${bus('trove-legacy', secrets.brokerLegacy, LEGACY_VHOST)}
sealed_transport_url = ${bus('trove-taskmanager', secrets.brokerTaskmanager, VHOST)}
broker_management_url = http://trove-provisioner:${secrets.brokerProvisioner}@${BROKER}:15672
guest_transport_url = rabbit://${BROKER}:5672
taskmanager_rpc_encr_key = ${secrets.controlKey}
inst_rpc_key_encr_key = ${secrets.instanceKey}
inst_rpc_uplink_encr_key = ${secrets.uplinkKey}

[database]
connection = ${catalog('trove_taskmanager', secrets.databaseTaskmanager)}
`,
    'conductor/trove-conductor.conf': `${HEAD}[DEFAULT]
transport_url = ${bus('trove-conductor', secrets.brokerConductor, LEGACY_VHOST)}
sealed_transport_url = ${bus('trove-conductor', secrets.brokerConductor, VHOST)}
inst_rpc_uplink_encr_key = ${secrets.uplinkKey}

[database]
connection = ${catalog('trove_conductor', secrets.databaseConductor)}
`,
    'catalog/trove.conf': `${HEAD}[database]
connection = ${catalog('trove_manage', secrets.databaseManage)}
`,
  };
}

/** What the services have no say in: it follows this release, and is written anew where it differs. */
export function databaseAccounts(secrets: StackSecrets): readonly DatabaseAccount[] {
  const service = (user: string, password: string): DatabaseAccount => ({
    user,
    password,
    rights: 'SELECT, INSERT, UPDATE, DELETE',
  });
  return [
    { user: 'trove_manage', password: secrets.databaseManage, rights: 'ALL PRIVILEGES' },
    service('trove_api', secrets.databaseApi),
    service('trove_taskmanager', secrets.databaseTaskmanager),
    service('trove_conductor', secrets.databaseConductor),
  ];
}

function bus(user: string, password: string, vhost: string): string {
  return `rabbit://${user}:${password}@${BROKER}:5672/${vhost}`;
}

export function catalog(user: string, password: string): string {
  return `mysql://${user}:${password}@${DATABASE}:3306/${CATALOG}`;
}
