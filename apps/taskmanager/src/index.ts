export type { TaskmanagerDeps } from './deps.ts';
export { detachedAgents, type HousedCompute, openLocalCompute } from './local_compute.ts';
export { type TaskmanagerConfig, type TaskmanagerSettings, taskmanagerOptions } from './options.ts';
export { buildTaskmanager, type Taskmanager } from './taskmanager.ts';
