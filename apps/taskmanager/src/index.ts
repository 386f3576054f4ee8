export type { TaskmanagerDeps } from './deps.ts';
export { type TaskmanagerConfig, taskmanagerOptions, type TaskmanagerSettings } from './options.ts';
export { buildTaskmanager, type Taskmanager } from './taskmanager.ts';
