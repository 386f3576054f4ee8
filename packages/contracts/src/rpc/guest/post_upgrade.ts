import { Type } from 'typebox';
import { defineMethod } from '../method.ts';
import { Nothing } from '../types.ts';

/** Takes up the kept volume on the rebuilt server and starts the database; answers when it serves. */
export const post_upgrade = defineMethod({
  name: 'post_upgrade',
  patience: 'high',
  once: true,
  fenced: true,
  args: Type.Object({ upgrade_info: Type.Object({}, { additionalProperties: true }) }, { additionalProperties: false }),
  result: Nothing,
});
