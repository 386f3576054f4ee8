import { type InstanceRow, type InstanceValues, showsAction } from '@trove/catalog';
import { TASK_STATUSES, taskStatusByCode } from '@trove/contracts';
import { taskValues } from '../tasks/shared/task_values.ts';

/** What an instance shows from now on, and why. */
export interface SettledStatus {
  readonly values: InstanceValues;
  /** For its tenant. */
  readonly message: string;
  /** Whether its database was never made. */
  readonly failedBuild: boolean;
}

/**
 * The end of an action that nobody is at work on any more; undefined where none is shown. A build or a delete ends as if its
 * task had failed, and may be deleted (again); anything else leaves the instance as its server is.
 */
export function settledStatus(
  row: Pick<InstanceRow, 'task_id' | 'server_status'>,
  observed: string | null,
): SettledStatus | undefined {
  if (!showsAction(row)) return undefined;
  const status = taskStatusByCode(row.task_id);
  const at_rest = { task_start_time: null };
  if (status === TASK_STATUSES.BUILDING) {
    const values = { ...at_rest, ...taskValues('BUILDING_ERROR_SERVER'), server_status: null };
    return { values, message: 'The instance was not built to its end. Delete it.', failedBuild: true };
  }
  if (status === TASK_STATUSES.DELETING) {
    const values = { ...at_rest, server_status: 'ERROR' };
    return { values, message: 'The instance was not deleted to its end. Delete it again.', failedBuild: false };
  }
  const values = { ...at_rest, ...taskValues('NONE'), server_status: observed };
  const message = `What was being done (${status.action}) did not come to its end. The instance is as its server is now.`;
  return { values, message, failedBuild: false };
}
