/**
 * Trove's service statuses: what a guest says of its database. `code` and `description` are what `service_statuses` holds,
 * `word` is what the REST API shows. UPGRADING and RESTARTING share code 34 in Trove; a look-up by code gives RESTARTING.
 */
export const SERVICE_STATUSES = {
  RUNNING: { code: 1, description: 'running', word: 'ACTIVE' },
  BLOCKED: { code: 2, description: 'blocked', word: 'BLOCKED' },
  PAUSED: { code: 3, description: 'paused', word: 'SHUTDOWN' },
  SHUTDOWN: { code: 4, description: 'shutdown', word: 'SHUTDOWN' },
  DELETED: { code: 5, description: 'deleted', word: 'DELETED' },
  CRASHED: { code: 6, description: 'crashed', word: 'SHUTDOWN' },
  FAILED: { code: 8, description: 'failed to spawn', word: 'FAILED' },
  BUILDING: { code: 9, description: 'building', word: 'BUILD' },
  PROMOTING: { code: 16, description: 'promoting replica', word: 'PROMOTE' },
  EJECTING: { code: 17, description: 'ejecting replica source', word: 'EJECT' },
  LOGGING: { code: 18, description: 'transferring guest logs', word: 'LOGGING' },
  UNKNOWN: { code: 22, description: 'unknown', word: 'ERROR' },
  NEW: { code: 23, description: 'new', word: 'NEW' },
  FAILED_TIMEOUT_GUESTAGENT: { code: 24, description: 'guestagent error', word: 'ERROR' },
  INSTANCE_READY: { code: 25, description: 'instance ready', word: 'BUILD' },
  RESTART_REQUIRED: { code: 32, description: 'restart required', word: 'RESTART_REQUIRED' },
  HEALTHY: { code: 33, description: 'healthy', word: 'HEALTHY' },
  UPGRADING: { code: 34, description: 'upgrading', word: 'UPGRADING' },
  RESTARTING: { code: 34, description: 'restarting', word: 'RESTARTING' },
} as const;

export type ServiceStatusName = keyof typeof SERVICE_STATUSES;
export type ServiceStatus = (typeof SERVICE_STATUSES)[ServiceStatusName];

const BY_DESCRIPTION = new Map<string, ServiceStatus>(
  Object.values(SERVICE_STATUSES).map((status) => [status.description, status]),
);
const BY_CODE = new Map<number, ServiceStatus>(Object.values(SERVICE_STATUSES).map((status) => [status.code, status]));

/** The status that a heartbeat's text names, or undefined. */
export function serviceStatusByDescription(description: string): ServiceStatus | undefined {
  return BY_DESCRIPTION.get(description);
}

export function serviceStatusByCode(code: number): ServiceStatus | undefined {
  return BY_CODE.get(code);
}
