import { Type } from 'typebox';
import { list_databases as guest } from '../guest/list_databases.ts';
import { defineMethod } from '../method.ts';
import { PageArgs, Uuid } from '../types.ts';

/** Passed on to the guest's method of the same name. */
export const list_databases = defineMethod({
  name: 'list_databases',
  patience: guest.patience,
  args: Type.Object({ instance_id: Uuid, ...PageArgs.properties }, { additionalProperties: false }),
  result: guest.result,
});
