import type { Route } from '../api_app.ts';
import { createDatabases } from './databases/create.ts';
import { deleteDatabase } from './databases/delete.ts';
import { listDatabases } from './databases/list.ts';
import { listDatastores } from './datastores/list.ts';
import { listVersionFlavors } from './datastores/list_version_flavors.ts';
import { listDatastoreVersions } from './datastores/list_versions.ts';
import { showDatastore } from './datastores/show.ts';
import { showDatastoreVersion } from './datastores/show_version.ts';
import { showDatastoreVersionById } from './datastores/show_version_by_id.ts';
import { listFlavors } from './flavors/list.ts';
import { showFlavor } from './flavors/show.ts';
import { actOnInstance } from './instances/action.ts';
import { createInstance } from './instances/create.ts';
import { deleteInstance } from './instances/delete.ts';
import { listInstances } from './instances/list.ts';
import { listInstanceDetails } from './instances/list_detail.ts';
import { patchInstance } from './instances/patch.ts';
import { putInstance } from './instances/put.ts';
import { showInstance } from './instances/show.ts';
import { listLimits } from './limits/list.ts';
import { listHosts } from './mgmt/list_hosts.ts';
import { showHost } from './mgmt/show_host.ts';
import { showQuotas } from './mgmt/show_quotas.ts';
import { updateQuotas } from './mgmt/update_quotas.ts';
import { healthcheck } from './service/healthcheck.ts';
import { listVersions } from './service/list_versions.ts';
import { listInstanceTasks } from './tasks/list.ts';
import { showInstanceTask } from './tasks/show.ts';
import { createUsers } from './users/create.ts';
import { listUsers } from './users/list.ts';

/** Served without a version and without a token. */
export const SERVICE_ROUTES: readonly Route[] = [listVersions, healthcheck];

/** Served below `/v1.0/{project_id}`. */
export const PROJECT_ROUTES: readonly Route[] = [
  listInstances,
  listInstanceDetails,
  createInstance,
  showInstance,
  patchInstance,
  putInstance,
  deleteInstance,
  actOnInstance,
  listInstanceTasks,
  showInstanceTask,
  listDatabases,
  createDatabases,
  deleteDatabase,
  listUsers,
  createUsers,
  listDatastores,
  showDatastore,
  listDatastoreVersions,
  showDatastoreVersion,
  showDatastoreVersionById,
  listVersionFlavors,
  listFlavors,
  showFlavor,
  listHosts,
  showHost,
  listLimits,
  showQuotas,
  updateQuotas,
];
