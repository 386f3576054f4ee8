export * from './rest/index.ts';
export { type ConductorApi, conductorApi } from './rpc/conductor/index.ts';
export { type GuestApi, guestApi } from './rpc/guest/index.ts';
export type { ArgsOf, Handlers, Patience, ResultOf, Role, RpcApi, RpcMethod } from './rpc/method.ts';
export { type TaskmanagerApi, taskmanagerApi } from './rpc/taskmanager/index.ts';
export {
  SERVICE_STATUSES,
  type ServiceStatus,
  type ServiceStatusName,
  serviceStatusByCode,
  serviceStatusByDescription,
} from './service_status.ts';
export { TASK_STATUSES, type TaskStatus, type TaskStatusName, taskStatusByCode } from './task_status.ts';
