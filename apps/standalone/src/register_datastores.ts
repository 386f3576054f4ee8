import {
  type Catalog,
  type DatastoreRow,
  type DatastoreVersionRow,
  updateDatastore,
  updateDatastoreVersion,
  withTransaction,
} from '@trove/catalog';
import type { Image } from '@trove/compute';

/**
 * A datastore version for each image that has none yet, and a default version for each datastore that has none. What is
 * there stays as the operator has it: nothing is removed, and a version that was made inactive stays so.
 */
export async function registerDatastores(catalog: Catalog, images: readonly Image[]): Promise<void> {
  for (const image of images) await withTransaction(catalog, (tx) => registerImage(tx, image));
}

type Transaction = Parameters<typeof updateDatastore>[0];

async function registerImage(tx: Transaction, { id, manager, version }: Image): Promise<void> {
  const datastore = await tx<DatastoreRow>('datastores').where({ name: manager }).first();
  const datastoreId = datastore?.id ?? (await updateDatastore(tx, { name: manager, defaultVersion: '' }));
  const known = await tx<DatastoreVersionRow>('datastore_versions')
    .where({ datastore_id: datastoreId, name: version })
    .first();
  const versionId =
    known?.id ??
    (await updateDatastoreVersion(tx, {
      datastore: datastoreId,
      name: version,
      manager,
      imageId: id,
      packages: '',
      active: true,
    }));
  if ((datastore?.default_version_id ?? null) !== null) return;
  await updateDatastore(tx, { name: manager, defaultVersion: versionId });
}
