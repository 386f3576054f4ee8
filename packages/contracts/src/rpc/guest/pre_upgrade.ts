import { Type } from 'typebox';
import { defineMethod } from '../method.ts';
import { NoArgs } from '../types.ts';

/** Stops the database cleanly before the server is rebuilt; the answer goes back to the guest in `post_upgrade`. */
export const pre_upgrade = defineMethod({
  name: 'pre_upgrade',
  patience: 'high',
  once: true,
  fenced: true,
  args: NoArgs,
  result: Type.Object({}, { additionalProperties: true }),
});
