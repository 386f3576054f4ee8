import { Type } from 'typebox';
import { defineMethod } from '../method.ts';
import { GuestDatabase, Nothing } from '../types.ts';

/**
 * Makes databases; where one of them exists, none and `DATABASE_EXISTS`. Trove casts this and its like; its guests answer a
 * call just as well, and then the tenant's 202 means that it is done.
 */
export const create_database = defineMethod({
  name: 'create_database',
  once: true,
  args: Type.Object(
    { databases: Type.Array(GuestDatabase, { minItems: 1, maxItems: 1000 }) },
    { additionalProperties: false },
  ),
  result: Nothing,
});
