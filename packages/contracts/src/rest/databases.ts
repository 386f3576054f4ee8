import { type Static, Type } from 'typebox';
import { Links, PageQuery } from './common.ts';

export const NewDatabase = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 255 }),
  character_set: Type.Optional(Type.Union([Type.String({ maxLength: 64 }), Type.Null()])),
  collate: Type.Optional(Type.Union([Type.String({ maxLength: 64 }), Type.Null()])),
});
export type NewDatabase = Static<typeof NewDatabase>;

/** `POST /instances/{id}/databases`. */
export const CreateDatabasesBody = Type.Object({ databases: Type.Array(NewDatabase, { minItems: 1, maxItems: 1000 }) });

/** `GET /instances/{id}/databases`. */
export const DatabaseListBody = Type.Object({
  databases: Type.Array(Type.Object({ name: Type.String() })),
  links: Type.Optional(Links),
});

export const ListPageQuery = Type.Object(PageQuery);
