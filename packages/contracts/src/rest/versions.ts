import { Type } from 'typebox';
import { Links } from './common.ts';

/** `GET /`: which versions of the API there are. */
export const VersionListBody = Type.Object({
  versions: Type.Array(Type.Object({ id: Type.String(), status: Type.String(), updated: Type.String(), links: Links })),
});
