import { isUuid } from '@trove/common';
import type { Knex } from 'knex';
import type { DatastoreRow, DatastoreVersionRow } from '../tables.ts';
import { fitsTroveColumn } from '../trove_text.ts';

/** A datastore with its versions, by name; what is inactive is left to the caller to hide. */
export interface DatastoreReading extends DatastoreRow {
  versions: DatastoreVersionRow[];
}

/** All datastores by name. */
export async function listDatastores(executor: Knex): Promise<DatastoreReading[]> {
  const datastores = await executor<DatastoreRow>('datastores').orderBy('name').select('*');
  const versions = await executor<DatastoreVersionRow>('datastore_versions').orderBy('name').select('*');
  return datastores.map((datastore) => ({
    ...datastore,
    versions: versions.filter((version) => version.datastore_id === datastore.id),
  }));
}

/** The datastore of that id or, else, of that name; undefined where there is none. */
export async function readDatastore(executor: Knex, idOrName: string): Promise<DatastoreReading | undefined> {
  if (!fitsTroveColumn(idOrName)) return undefined;
  const rows = await executor<DatastoreRow>('datastores')
    .where({ id: idOrName })
    .orWhere({ name: idOrName })
    .select('*');
  const datastore = rows.find((row) => row.id === idOrName) ?? rows.find((row) => row.name === idOrName);
  if (datastore === undefined) return undefined;
  const versions = await executor<DatastoreVersionRow>('datastore_versions')
    .where({ datastore_id: datastore.id })
    .orderBy('name')
    .select('*');
  return { ...datastore, versions };
}

/** The version of that id, in whatever datastore. */
export async function readDatastoreVersion(
  executor: Knex,
  versionId: string,
): Promise<DatastoreVersionRow | undefined> {
  if (!isUuid(versionId)) return undefined;
  return await executor<DatastoreVersionRow>('datastore_versions').where({ id: versionId }).first('*');
}

/** Flavor ids that the version is bound to; none: every flavor may be used. */
export async function listBoundFlavors(executor: Knex, versionId: string): Promise<string[]> {
  const rows = await executor<{ value: string | null; datastore_version_id: string; key: string; deleted: number }>(
    'datastore_version_metadata',
  )
    .where({ datastore_version_id: versionId, key: 'flavor', deleted: 0 })
    .select('value');
  return rows.map((row) => row.value ?? '');
}
