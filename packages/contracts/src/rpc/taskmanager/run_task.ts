import { Type } from 'typebox';
import { defineMethod } from '../method.ts';
import { Nothing, Uuid } from '../types.ts';

/** The doorbell: names a task in the catalog and holds nothing else. Losing it costs a poll interval, repeating it nothing. */
export const run_task = defineMethod({
  name: 'run_task',
  legacyKind: 'cast',
  args: Type.Object({ task_id: Uuid }, { additionalProperties: false }),
  result: Nothing,
});
