export type { BrokerAccounts } from './broker/broker_accounts.ts';
export { memoryBrokerAccounts, openBrokerAccounts } from './broker/open_broker_accounts.ts';
export type { TaskmanagerDeps } from './deps.ts';
export { detachedAgents, type HousedCompute, openLocalCompute } from './local_compute.ts';
export { type TaskmanagerConfig, type TaskmanagerSettings, taskmanagerOptions } from './options.ts';
export { readBroker } from './reconcile/read_broker.ts';
export { restoreAccounts } from './rounds/check_accounts.ts';
export { buildTaskmanager, type Taskmanager } from './taskmanager.ts';
export { fileRotation } from './tasks/rotate_key/file_rotation.ts';
