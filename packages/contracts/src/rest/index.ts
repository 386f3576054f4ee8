export { FAULT_NAMES, FaultBody, PlainFaultBody } from './common.ts';
export { CreateDatabasesBody, DatabaseListBody, ListPageQuery, NewDatabase } from './databases.ts';
export {
  Datastore,
  DatastoreBody,
  DatastoreListBody,
  DatastoreVersion,
  DatastoreVersionBody,
  DatastoreVersionItem,
  DatastoreVersionListBody,
} from './datastores.ts';
export { Flavor, FlavorBody, FlavorListBody } from './flavors.ts';
export { HostBody, HostListBody } from './hosts.ts';
export {
  CreateInstanceBody,
  InstanceActionBody,
  InstanceBody,
  InstanceDetail,
  InstanceDetailListBody,
  InstanceListBody,
  type InstancePatch,
  type InstancePut,
  InstanceSummary,
  ListInstancesQuery,
  NewInstance,
  PatchInstanceBody,
  PutInstanceBody,
  type Resize,
} from './instances.ts';
export { LimitListBody, QuotaListBody, UpdatedQuotasBody, UpdateQuotasBody } from './quotas.ts';
export { TASK_HEADER, Task, TaskBody, TaskListBody } from './tasks.ts';
export { CreateUsersBody, NewUser, UserListBody } from './users.ts';
export { VersionListBody } from './versions.ts';
