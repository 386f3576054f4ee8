import { type Static, Type } from 'typebox';
import { Links } from './common.ts';

export const NewUser = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 255 }),
  password: Type.String({ minLength: 1, maxLength: 255 }),
  host: Type.Optional(Type.Union([Type.String({ minLength: 1, maxLength: 255 }), Type.Null()])),
  databases: Type.Optional(
    Type.Array(Type.Object({ name: Type.String({ minLength: 1, maxLength: 255 }) }), { maxItems: 1000 }),
  ),
});
export type NewUser = Static<typeof NewUser>;

/** `POST /instances/{id}/users`. */
export const CreateUsersBody = Type.Object({ users: Type.Array(NewUser, { minItems: 1, maxItems: 1000 }) });

/** `GET /instances/{id}/users`. */
export const UserListBody = Type.Object({
  users: Type.Array(
    Type.Object({
      name: Type.String(),
      host: Type.String(),
      databases: Type.Array(Type.Object({ name: Type.String() })),
    }),
  ),
  links: Type.Optional(Links),
});
