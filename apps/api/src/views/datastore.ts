import type { DatastoreReading, DatastoreVersionRow } from '@trove/catalog';
import type { Datastore, DatastoreVersion, DatastoreVersionItem } from '@trove/contracts';
import { isAdmin } from '@trove/identity';
import type { FastifyRequest } from 'fastify';
import { linksOf } from '../links.ts';
import { callerOfRequest } from '../plugins/authentication.ts';

/** A datastore with those of its versions that are given. */
export function datastoreView(request: FastifyRequest, datastore: DatastoreReading): Datastore {
  return {
    id: datastore.id,
    name: datastore.name ?? '',
    links: linksOf(request, 'datastores', datastore.id),
    versions: datastore.versions.map((version) => versionItem(request, version)),
    ...(datastore.default_version_id !== null && { default_version: datastore.default_version_id }),
  };
}

/** A version on its own. */
export function datastoreVersionView(request: FastifyRequest, version: DatastoreVersionRow): DatastoreVersion {
  return { ...versionItem(request, version), datastore: version.datastore_id ?? '' };
}

function versionItem(request: FastifyRequest, version: DatastoreVersionRow): DatastoreVersionItem {
  return {
    id: version.id,
    name: version.name ?? '',
    version: version.version ?? version.name,
    links: linksOf(request, 'datastores/versions', version.id),
    ...(isAdmin(callerOfRequest(request)) && {
      active: version.active === 1,
      packages: version.packages,
      image: version.image_id,
      image_tags: (version.image_tags ?? '').split(',').filter((tag) => tag !== ''),
    }),
  };
}
