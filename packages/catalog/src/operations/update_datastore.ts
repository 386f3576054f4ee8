import { newUuid, TroveError } from '@trove/common';
import type { Knex } from 'knex';
import type { DatastoreRow, DatastoreVersionRow } from '../tables.ts';
import { requireColumnLength } from './column_length.ts';

/**
 * Makes the datastore where there is none of this name, and sets which version instances get that name none. An empty
 * `defaultVersion` (id or name of one of its versions) leaves it without. Returns the datastore's id.
 */
export async function updateDatastore(
  tx: Knex.Transaction,
  args: { name: string; defaultVersion: string },
): Promise<string> {
  requireColumnLength('The name', args.name, 255);
  const present = await tx<DatastoreRow>('datastores').where({ name: args.name }).forUpdate().first();
  const id = present?.id ?? newUuid();
  if (present === undefined)
    await tx<DatastoreRow>('datastores').insert({ id, name: args.name, default_version_id: null });
  const default_version_id = args.defaultVersion === '' ? null : await versionId(tx, id, args.defaultVersion);
  await tx<DatastoreRow>('datastores').where({ id }).update({ default_version_id });
  return id;
}

async function versionId(tx: Knex.Transaction, datastoreId: string, idOrName: string): Promise<string> {
  const rows = await tx<DatastoreVersionRow>('datastore_versions')
    .where({ datastore_id: datastoreId })
    .andWhere((either) => void either.where({ id: idOrName }).orWhere({ name: idOrName }))
    .select('id');
  const found = rows.find((row) => row.id === idOrName) ?? rows[0];
  if (found === undefined)
    throw new TroveError('DATASTORE_VERSION_NOT_FOUND', `Datastore version '${idOrName}' cannot be found.`);
  if (rows.length > 1 && found.id !== idOrName)
    throw new TroveError('CONFLICT', `Several versions are named '${idOrName}': give the id of one.`);
  return found.id;
}
