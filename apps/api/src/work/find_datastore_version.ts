import { type Catalog, type DatastoreReading, type DatastoreVersionRow, readDatastore } from '@trove/catalog';
import { isUuid, TroveError } from '@trove/common';
import type { NewInstance } from '@trove/contracts';

export interface ChosenVersion {
  datastoreName: string;
  version: DatastoreVersionRow;
}

/** The version that a create asks for; what it leaves out is the deployment's or the datastore's default. */
export async function findDatastoreVersion(
  catalog: Catalog,
  wanted: NewInstance['datastore'],
  defaultDatastore: string | undefined,
): Promise<ChosenVersion> {
  const type = wanted?.type ?? defaultDatastore;
  if (type === undefined)
    throw new TroveError('BAD_REQUEST', 'Please specify datastore. No default datastore is defined.');
  const datastore = await findDatastore(catalog, type);
  const named = wanted?.version ?? datastore.default_version_id;
  if (named === null) throw new TroveError('BAD_REQUEST', `Default version for datastore '${type}' not found.`);
  const version = chooseVersion(datastore, named, wanted?.version_number);
  checkActive(version);
  return { datastoreName: datastore.name ?? '', version };
}

/** Rejects with `DATASTORE_NOT_FOUND`. */
export async function findDatastore(catalog: Catalog, idOrName: string): Promise<DatastoreReading> {
  const datastore = await readDatastore(catalog.knex, idOrName);
  if (datastore === undefined) throw new TroveError('DATASTORE_NOT_FOUND', `Datastore '${idOrName}' cannot be found.`);
  return datastore;
}

/**
 * A datastore's version by id or name. Throws as Trove does: an unknown id is `NOT_FOUND`, an unknown name
 * `DATASTORE_VERSION_NOT_FOUND`, a name that several versions have `BAD_REQUEST`.
 */
export function chooseVersion(datastore: DatastoreReading, idOrName: string, number?: string): DatastoreVersionRow {
  const byId = datastore.versions.find(({ id }) => id === idOrName);
  if (byId) return byId;
  const named = datastore.versions.filter(({ name }) => name === idOrName);
  const fitting = number === undefined ? named : named.filter(({ version }) => version === number);
  const [version, another] = fitting;
  if (another)
    throw new TroveError('BAD_REQUEST', `Multiple datastore versions found for '${idOrName}', please use an id.`);
  if (version) return version;
  if (isUuid(idOrName)) throw new TroveError('NOT_FOUND', `Datastore version '${idOrName}' cannot be found.`);
  throw new TroveError('DATASTORE_VERSION_NOT_FOUND', `Datastore version '${idOrName}' cannot be found.`);
}

/** Throws `DATASTORE_VERSION_INACTIVE`. */
export function checkActive(version: DatastoreVersionRow): void {
  if (version.active === 1) return;
  throw new TroveError(
    'DATASTORE_VERSION_INACTIVE',
    `Datastore version '${version.name ?? version.id}' is not active.`,
  );
}
