import type { InstanceValues } from '@trove/catalog';
import { TASK_STATUSES, type TaskStatusName } from '@trove/contracts';

/** The columns that say what is being done to an instance, as Trove writes them. */
export function taskValues(name: TaskStatusName): InstanceValues {
  const { code, text } = TASK_STATUSES[name];
  return { task_id: code, task_description: text };
}
