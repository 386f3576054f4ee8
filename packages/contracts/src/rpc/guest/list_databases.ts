import { Type } from 'typebox';
import { defineMethod } from '../method.ts';
import { GuestDatabase, NextMarker, PageArgs } from '../types.ts';

/** One page of the tenant's databases by name, system databases left out: `[items, next marker or null]`. */
export const list_databases = defineMethod({
  name: 'list_databases',
  args: PageArgs,
  result: Type.Tuple([Type.Array(GuestDatabase), NextMarker]),
});
