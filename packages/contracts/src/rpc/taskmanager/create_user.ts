import { Type } from 'typebox';
import { create_user as guest } from '../guest/create_user.ts';
import { defineMethod } from '../method.ts';
import { Uuid } from '../types.ts';

/** Passed on to the guest's method of the same name; answered when the guest has done it. */
export const create_user = defineMethod({
  name: 'create_user',
  once: true,
  args: Type.Object({ instance_id: Uuid, ...guest.args.properties }, { additionalProperties: false }),
  result: guest.result,
});
