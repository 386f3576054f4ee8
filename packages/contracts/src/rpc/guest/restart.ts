import { defineMethod } from '../method.ts';
import { NoArgs, Nothing } from '../types.ts';

/** Stops the database server and starts it again; answers when it serves. */
export const restart = defineMethod({
  name: 'restart',
  patience: 'high',
  once: true,
  fenced: true,
  args: NoArgs,
  result: Nothing,
});
