// Stands in for the package in services of a later release: its kinds of task are worked on, and filed, as that one's.
import { createTaskEngine as createEngine, fileTask as fileOwn, fileDelete as fileOwnDelete } from '@trove/tasks';
import { laterKinds, laterTask } from './later_release.ts';
import { ownPart } from './own_part.ts';

export * from '@trove/tasks';

const { folder, release } = ownPart();

export const createTaskEngine: typeof createEngine = (options) =>
  createEngine({ ...options, kinds: laterKinds(options.kinds, release, folder) });

export const fileTask: typeof fileOwn = (tx, task) => fileOwn(tx, laterTask(task, release));

export const fileDelete: typeof fileOwnDelete = (tx, task) => fileOwnDelete(tx, laterTask(task, release));
