import type { Migration } from './migration.ts';

/** The names of a task's steps, so that those not begun can be shown too. Null until its first step begins. */
export const taskStepNames: Migration = {
  version: 106,
  operations: [{ kind: 'add_column', table: 'tasks', column: 'step_names', type: 'longtext NULL' }],
};
