import { Type } from 'typebox';
import { defineMethod } from '../method.ts';
import { GuestUser, Nothing } from '../types.ts';

/** Makes database users with their passwords and grants. */
export const create_user = defineMethod({
  name: 'create_user',
  once: true,
  args: Type.Object({ users: Type.Array(GuestUser, { minItems: 1, maxItems: 1000 }) }, { additionalProperties: false }),
  result: Nothing,
});
