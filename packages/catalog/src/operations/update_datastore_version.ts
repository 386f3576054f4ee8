import { newUuid, TroveError } from '@trove/common';
import { dialectOf, selectRows } from '@trove/migrations';
import type { Knex } from 'knex';
import type { DatastoreRow, DatastoreVersionRow } from '../tables.ts';
import { requireColumnLength } from './column_length.ts';

export interface DatastoreVersionUpdate {
  /** Id or name. */
  datastore: string;
  name: string;
  manager: string;
  /** Empty: the image is found by its tags. */
  imageId: string;
  /** Comma-separated; may be empty. */
  imageTags?: string;
  /** Comma-separated; may be empty. */
  packages: string;
  active: boolean;
  /** Tells versions of one name apart. A new version without one gets its name; one that is there keeps what it has. */
  version?: string;
}

/**
 * Makes or changes a version of a datastore; returns its id. Rejects with `DATASTORE_NOT_FOUND`, with `CONFLICT` where
 * several versions have this name and no `version` says which, with `BAD_REQUEST` for a text that its column cannot hold.
 */
export async function updateDatastoreVersion(tx: Knex.Transaction, update: DatastoreVersionUpdate): Promise<string> {
  requireFits(update);
  const datastore = await tx<DatastoreRow>('datastores')
    .where({ id: update.datastore })
    .orWhere({ name: update.datastore })
    .forUpdate()
    .first('id');
  if (datastore === undefined)
    throw new TroveError('DATASTORE_NOT_FOUND', `Datastore '${update.datastore}' cannot be found.`);
  const values = {
    manager: update.manager,
    image_id: update.imageId === '' ? null : update.imageId,
    packages: update.packages,
    active: update.active ? (1 as const) : (0 as const),
    ...(update.imageTags === undefined ? {} : { image_tags: update.imageTags }),
  };
  const present = await findVersion(tx, datastore.id, update);
  if (present !== undefined) {
    await tx<DatastoreVersionRow>('datastore_versions').where({ id: present.id }).update(values);
    return present.id;
  }
  const id = newUuid();
  await tx('datastore_versions').insert({
    id,
    datastore_id: datastore.id,
    name: update.name,
    version: update.version ?? update.name,
    ...values,
    ...(await requiredByLaterTrove(tx)),
  });
  return id;
}

async function findVersion(
  tx: Knex.Transaction,
  datastoreId: string,
  update: DatastoreVersionUpdate,
): Promise<DatastoreVersionRow | undefined> {
  const rows = await tx<DatastoreVersionRow>('datastore_versions')
    .where({ datastore_id: datastoreId, name: update.name })
    .select('*');
  if (update.version !== undefined) {
    // A row from before versions had numbers is the one of this name.
    return rows.find((row) => row.version === update.version) ?? rows.find((row) => row.version === null);
  }
  if (rows.length > 1)
    throw new TroveError('CONFLICT', `Several versions are named '${update.name}': say which by --version.`);
  return rows[0];
}

/** Columns that a catalog of a later Trove has, that take no NULL and have no default. */
async function requiredByLaterTrove(tx: Knex.Transaction): Promise<Record<string, ''>> {
  if (dialectOf(tx) !== 'mysql') return {};
  const rows = await selectRows(
    tx,
    "SELECT column_name AS name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'datastore_versions' AND column_name IN ('registry_ext', 'repl_strategy')",
  );
  return Object.fromEntries(rows.map((row) => [String(row['name']), '']));
}

function requireFits(update: DatastoreVersionUpdate): void {
  requireColumnLength('The version name', update.name, 255);
  requireColumnLength('The manager', update.manager, 255);
  requireColumnLength('The image id', update.imageId, 36);
  requireColumnLength('The packages', update.packages, 511);
  requireColumnLength('The image tags', update.imageTags ?? '', 255);
  requireColumnLength('The version', update.version ?? '', 255);
}
