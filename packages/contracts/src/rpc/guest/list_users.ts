import { Type } from 'typebox';
import { defineMethod } from '../method.ts';
import { GuestUser, NextMarker, PageArgs } from '../types.ts';

/** One page of the tenant's users by `name@host`, administrative accounts left out: `[items, next marker or null]`. */
export const list_users = defineMethod({
  name: 'list_users',
  patience: 'high',
  args: PageArgs,
  result: Type.Tuple([Type.Array(GuestUser), NextMarker]),
});
