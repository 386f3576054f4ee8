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
export {
  datastoreDriverFor,
  type FoundInstallation,
  findInstallations,
  inspectFolder,
  mayUpgrade,
} from './registry.ts';
