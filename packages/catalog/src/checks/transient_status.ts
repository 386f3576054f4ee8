import { TASK_STATUSES, type TaskStatusName, taskStatusByCode } from '@trove/contracts';
import type { InstanceRow } from '../tables.ts';

/** Tasks that somebody has to be working on. `RESTART_REQUIRED` waits for its tenant, errors for an operator. */
const WORKED_ON: readonly TaskStatusName[] = [
  'DELETING',
  'REBOOTING',
  'RESIZING',
  'BUILDING',
  'MIGRATING',
  'PROMOTING',
  'EJECTING',
  'LOGGING',
  'DETACHING',
  'UPDATING',
  'UPGRADING',
];

/**
 * Whether the instance shows that something is being done to it. A build or a delete that failed shows ERROR by its server's
 * status, and keeps its task.
 */
export function showsAction({ task_id, server_status }: Pick<InstanceRow, 'task_id' | 'server_status'>): boolean {
  const status = taskStatusByCode(task_id);
  if (status === TASK_STATUSES.DELETING || status === TASK_STATUSES.BUILDING) return server_status !== 'ERROR';
  return WORKED_ON.some((name) => TASK_STATUSES[name] === status);
}

/** Whether the instance is one whose build has failed, and that has nothing of value. */
export function isFailedBuild({ task_id, server_status }: Pick<InstanceRow, 'task_id' | 'server_status'>): boolean {
  const status = taskStatusByCode(task_id);
  return (
    (status === TASK_STATUSES.BUILDING && server_status === 'ERROR') ||
    (status.isError && status.text.startsWith('Build error'))
  );
}
