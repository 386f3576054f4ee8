import { type Static, Type } from 'typebox';
import { Links, NullableText } from './common.ts';

const VersionMembers = {
  id: Type.String(),
  name: Type.String(),
  version: NullableText,
  links: Links,
  active: Type.Optional(Type.Boolean({ description: 'Admins only, as the four below.' })),
  packages: Type.Optional(NullableText),
  image: Type.Optional(NullableText),
  image_tags: Type.Optional(Type.Array(Type.String())),
};

/** A version inside its datastore. */
export const DatastoreVersionItem = Type.Object(VersionMembers);
export type DatastoreVersionItem = Static<typeof DatastoreVersionItem>;

/** A version that stands alone names its datastore's id. */
export const DatastoreVersion = Type.Object({ ...VersionMembers, datastore: Type.String() });
export type DatastoreVersion = Static<typeof DatastoreVersion>;

export const Datastore = Type.Object({
  id: Type.String(),
  name: Type.String(),
  links: Links,
  versions: Type.Array(DatastoreVersionItem),
  default_version: Type.Optional(Type.String()),
});
export type Datastore = Static<typeof Datastore>;

export const DatastoreListBody = Type.Object({ datastores: Type.Array(Datastore) });
export const DatastoreBody = Type.Object({ datastore: Datastore });
export const DatastoreVersionListBody = Type.Object({ versions: Type.Array(DatastoreVersion) });
export const DatastoreVersionBody = Type.Object({ version: DatastoreVersion });
