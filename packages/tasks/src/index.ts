export { createTaskEngine } from './engine/create_engine.ts';
export type { TaskEngine, TaskEngineHealth, TaskEngineOptions } from './engine/options.ts';
export { fileDelete } from './filing/file_delete.ts';
export { fileTask } from './filing/file_task.ts';
export type { FiledTask, NewTask } from './filing/filed_task.ts';
export { findRepeatedTask, forgetOldRequests, type RequestIdentity } from './filing/idempotency.ts';
export { requestHash } from './filing/request_hash.ts';
export { wakeInstances } from './filing/wake_instances.ts';
export type {
  Json,
  JsonObject,
  Step,
  StepContext,
  StepResult,
  Task,
  TaskEnd,
  TaskKind,
  TaskState,
  Wait,
} from './types.ts';
