export type {
  DatabaseSpec,
  Datastore,
  DatastoreDriver,
  DatastorePlace,
  Installation,
  Page,
  PageRequest,
  UserInfo,
  UserSpec,
} from './driver.ts';
export { mysqlDriver } from './mysql/mysql_driver.ts';
export { postgresqlDriver } from './postgresql/postgresql_driver.ts';
export {
  datastoreDriverFor,
  datastoreDrivers,
  type FoundInstallation,
  findInstallations,
  inspectFolder,
} from './registry.ts';
