import type { DatastoreReading, DatastoreVersionRow } from '@trove/catalog';
import { TroveError } from '@trove/common';
import { isAdmin } from '@trove/identity';
import type { FastifyRequest } from 'fastify';
import type { ApiDeps } from '../deps.ts';
import { callerOfRequest } from '../plugins/authentication.ts';
import { chooseVersion, findDatastore } from './find_datastore_version.ts';

export function activeVersions(datastore: DatastoreReading): DatastoreReading {
  return { ...datastore, versions: datastore.versions.filter(({ active }) => active === 1) };
}

/** The datastore as the caller may see it: without its inactive versions, unless an admin asks. */
export async function visibleDatastore(
  deps: ApiDeps,
  request: FastifyRequest,
  idOrName: string,
): Promise<DatastoreReading> {
  const datastore = await findDatastore(deps.catalog, idOrName);
  return isAdmin(callerOfRequest(request)) ? datastore : activeVersions(datastore);
}

/** One version that the caller may see, by id or name. */
export async function visibleVersion(
  deps: ApiDeps,
  request: FastifyRequest,
  datastore: string,
  idOrName: string,
): Promise<DatastoreVersionRow> {
  return chooseVersion(await visibleDatastore(deps, request, datastore), idOrName);
}

/** The same text wherever a version is asked for by id alone. */
export function versionNotFound(id: string): TroveError {
  return new TroveError('DATASTORE_VERSION_NOT_FOUND', `Datastore version '${id}' cannot be found.`);
}
