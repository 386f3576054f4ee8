/** Trove's task codes: what `instances.task_id` and `task_description` hold while something is being done. */
export const TASK_STATUSES = {
  NONE: { code: 1, action: 'NONE', text: 'No tasks for the instance.', isError: false },
  DELETING: { code: 2, action: 'DELETING', text: 'Deleting the instance.', isError: false },
  REBOOTING: { code: 3, action: 'REBOOTING', text: 'Rebooting the instance.', isError: false },
  RESIZING: { code: 4, action: 'RESIZING', text: 'Resizing the instance.', isError: false },
  BUILDING: { code: 5, action: 'BUILDING', text: 'The instance is building.', isError: false },
  MIGRATING: { code: 6, action: 'MIGRATING', text: 'Migrating the instance.', isError: false },
  RESTART_REQUIRED: { code: 7, action: 'RESTART_REQUIRED', text: 'Instance requires a restart.', isError: false },
  PROMOTING: { code: 8, action: 'PROMOTING', text: 'Promoting the instance to replica source.', isError: false },
  EJECTING: { code: 9, action: 'EJECTING', text: 'Ejecting the replica source.', isError: false },
  LOGGING: { code: 10, action: 'LOGGING', text: 'Transferring guest logs.', isError: false },
  DETACHING: { code: 11, action: 'DETACHING', text: 'Detaching the instance from replica source.', isError: false },
  UPDATING: { code: 12, action: 'UPDATING', text: 'Updating the instance.', isError: false },
  BUILDING_ERROR_DNS: { code: 80, action: 'BUILDING', text: 'Build error: DNS.', isError: true },
  BUILDING_ERROR_SERVER: { code: 81, action: 'BUILDING', text: 'Build error: Server.', isError: true },
  BUILDING_ERROR_VOLUME: { code: 82, action: 'BUILDING', text: 'Build error: Volume.', isError: true },
  BUILDING_ERROR_SEC_GROUP: { code: 83, action: 'BUILDING', text: 'Build error: Secgroup or rule.', isError: true },
  BUILDING_ERROR_REPLICA: { code: 84, action: 'BUILDING', text: 'Build error: Replica.', isError: true },
  PROMOTION_ERROR: { code: 85, action: 'PROMOTING', text: 'Replica Promotion Error.', isError: true },
  EJECTION_ERROR: { code: 86, action: 'EJECTING', text: 'Replica Source Ejection Error.', isError: true },
  GROWING_ERROR: { code: 87, action: 'GROWING', text: 'Growing Cluster Error.', isError: true },
  SHRINKING_ERROR: { code: 88, action: 'SHRINKING', text: 'Shrinking Cluster Error.', isError: true },
  UPGRADING: { code: 89, action: 'UPGRADING', text: 'Upgrading the instance.', isError: false },
  UPGRADING_ERROR: { code: 90, action: 'UPGRADING', text: 'Upgrading Cluster Error.', isError: true },
  BUILDING_ERROR_TIMEOUT_GA: { code: 91, action: 'ERROR', text: 'Build error: guestagent timeout.', isError: true },
  BUILDING_ERROR_PORT: { code: 92, action: 'BUILDING', text: 'Build error: Port.', isError: true },
  UPDATING_ERROR_ACCESS: { code: 93, action: 'UPDATING', text: 'Update error: Access.', isError: true },
} as const;

export type TaskStatusName = keyof typeof TASK_STATUSES;
export type TaskStatus = (typeof TASK_STATUSES)[TaskStatusName];

const BY_CODE = new Map<number, TaskStatus>(Object.values(TASK_STATUSES).map((status) => [status.code, status]));

/** The task of a stored code; a code that Trove does not have, or none, is NONE. */
export function taskStatusByCode(code: number | null): TaskStatus {
  return (code === null ? undefined : BY_CODE.get(code)) ?? TASK_STATUSES.NONE;
}
