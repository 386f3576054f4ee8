import { Type } from 'typebox';
import { defineMethod } from '../method.ts';
import { GuestDatabase, Nothing } from '../types.ts';

/** Makes databases; one that exists already is left as it is. */
export const create_database = defineMethod({
  name: 'create_database',
  legacyKind: 'cast',
  once: true,
  args: Type.Object(
    { databases: Type.Array(GuestDatabase, { minItems: 1, maxItems: 1000 }) },
    { additionalProperties: false },
  ),
  result: Nothing,
});
