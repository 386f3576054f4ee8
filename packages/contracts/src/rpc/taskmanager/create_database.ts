import { Type } from 'typebox';
import { create_database as guest } from '../guest/create_database.ts';
import { defineMethod } from '../method.ts';
import { Uuid } from '../types.ts';

/** Passed on to the guest's method of the same name; answered when the guest has done it. */
export const create_database = defineMethod({
  name: 'create_database',
  once: true,
  args: Type.Object({ instance_id: Uuid, ...guest.args.properties }, { additionalProperties: false }),
  result: guest.result,
});
