import { Type } from 'typebox';
import { defineMethod } from '../method.ts';
import { GuestDatabase, Nothing } from '../types.ts';

/** Drops a database with everything in it; `DATABASE_NOT_FOUND` where there is none of that name. */
export const delete_database = defineMethod({
  name: 'delete_database',
  once: true,
  args: Type.Object({ database: GuestDatabase }, { additionalProperties: false }),
  result: Nothing,
});
