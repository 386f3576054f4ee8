import type { InstanceReading } from '@trove/catalog';
import {
  SERVICE_STATUSES,
  type ServiceStatus,
  serviceStatusByCode,
  TASK_STATUSES,
  type TaskStatus,
  taskStatusByCode,
} from '@trove/contracts';

/** What an instance's status is made of: task, server and service, as the catalog has them. */
export type StatusFacts = Pick<
  InstanceReading,
  'task_id' | 'server_status' | 'service_status_id' | 'service_updated_at' | 'running_backup_id' | 'read_at'
>;

const { RUNNING, HEALTHY, RESTART_REQUIRED, SHUTDOWN, CRASHED, BLOCKED, UNKNOWN } = SERVICE_STATUSES;

const STATUS_OF_ACTION: Readonly<Record<string, string>> = {
  REBOOTING: 'REBOOT',
  RESIZING: 'RESIZE',
  UPGRADING: 'UPGRADE',
  RESTART_REQUIRED: 'RESTART_REQUIRED',
  PROMOTING: 'PROMOTE',
  EJECTING: 'EJECT',
  DETACHING: 'DETACH',
};

const SHOWN_SERVER_STATUSES = new Set(['BUILD', 'ERROR', 'REBOOT', 'RESIZE', 'ACTIVE', 'SHUTDOWN']);

/** What the guest last said; UNKNOWN where it never spoke. */
function serviceStatus(facts: StatusFacts): ServiceStatus {
  return (facts.service_status_id === null ? undefined : serviceStatusByCode(facts.service_status_id)) ?? UNKNOWN;
}

/** True where nothing was heard for longer than `expirySeconds`. */
function isSilent(facts: StatusFacts, expirySeconds: number): boolean {
  if (facts.service_updated_at === null) return true;
  return secondsOf(facts.read_at) - secondsOf(facts.service_updated_at) > expirySeconds;
}

/**
 * The server's status as the taskmanager last wrote it. NULL is a server that no driver of ours knows (an adopted deployment):
 * then a guest that was heard of lately and serves speaks for it.
 */
function serverStatus(facts: StatusFacts, expirySeconds: number): string {
  if (taskStatusByCode(facts.task_id).action === 'BUILDING') return facts.server_status === 'ERROR' ? 'ERROR' : 'BUILD';
  if (facts.server_status !== null) return facts.server_status;
  const service = serviceStatus(facts);
  const serves = service === RUNNING || service === HEALTHY || service === RESTART_REQUIRED;
  return serves && !isSilent(facts, expirySeconds) ? 'ACTIVE' : 'UNKNOWN';
}

/** The word under `status`. */
export function instanceStatus(facts: StatusFacts, expirySeconds: number): string {
  const task = taskStatusByCode(facts.task_id);
  const server = serverStatus(facts, expirySeconds);
  if (task.isError) return 'ERROR';
  if (task.action === 'BUILDING') return server;
  const ofAction = STATUS_OF_ACTION[task.action];
  if (ofAction !== undefined) return ofAction;
  // A delete may come while the server is being built or before it is known; Trove refuses both.
  if (task === TASK_STATUSES.DELETING) return server === 'ERROR' ? 'ERROR' : 'SHUTDOWN';
  if (isBackupRunning(facts)) return 'BACKUP';
  if (server === 'VERIFY_RESIZE') return 'RESIZE';
  return SHOWN_SERVER_STATUSES.has(server) ? server : 'UNKNOWN';
}

/** The word under `operating_status`: empty unless the instance is at rest; ERROR where the guest has fallen silent. */
export function operatingStatus(facts: StatusFacts, expirySeconds: number): string {
  const atRest =
    taskStatusByCode(facts.task_id) === TASK_STATUSES.NONE && serverStatus(facts, expirySeconds) === 'ACTIVE';
  if (!atRest) return '';
  const service = serviceStatus(facts);
  if (service !== RESTART_REQUIRED && isSilent(facts, expirySeconds))
    return SERVICE_STATUSES.FAILED_TIMEOUT_GUESTAGENT.word;
  return service.word;
}

/** Whether the guest's database serves, so that it may be asked for databases and users. */
export function isServing(facts: StatusFacts, expirySeconds: number): boolean {
  const service = serviceStatus(facts);
  return (service === RUNNING || service === HEALTHY) && serverStatus(facts, expirySeconds) === 'ACTIVE';
}

/** Why no action may start now, or undefined where one may. */
export function unavailability(
  facts: StatusFacts,
  expirySeconds: number,
): { kind: 'instance' | 'task'; status: string } | undefined {
  const server = serverStatus(facts, expirySeconds);
  if (server !== 'ACTIVE' && server !== 'HEALTHY') return { kind: 'instance', status: server };
  const task = taskStatusByCode(facts.task_id);
  if (!isIdle(task)) return { kind: 'task', status: task.action };
  const service = serviceStatus(facts);
  const actionable: readonly ServiceStatus[] = [RUNNING, SHUTDOWN, CRASHED, BLOCKED, HEALTHY, RESTART_REQUIRED];
  if (!actionable.includes(service)) return { kind: 'instance', status: service.word };
  return isBackupRunning(facts) ? { kind: 'instance', status: 'BACKUP' } : undefined;
}

/** True for the tasks beside which another may begin. */
export function isIdle(task: TaskStatus): boolean {
  return task === TASK_STATUSES.NONE || task === TASK_STATUSES.RESTART_REQUIRED;
}

function isBackupRunning(facts: StatusFacts): boolean {
  return facts.running_backup_id !== null;
}

function secondsOf(databaseTime: string): number {
  return Date.parse(`${databaseTime.replace(' ', 'T')}Z`) / 1000;
}
