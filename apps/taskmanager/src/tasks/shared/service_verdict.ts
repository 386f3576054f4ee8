import { SERVICE_STATUSES, type ServiceStatusName } from '@trove/contracts';

const READY: readonly ServiceStatusName[] = ['RUNNING', 'INSTANCE_READY', 'HEALTHY'];
const UNDER_WAY: readonly ServiceStatusName[] = ['NEW', 'BUILDING', 'UNKNOWN', 'DELETED'];

/** What a legacy guest's service status means to a build: Trove's rule. No row yet means that nothing was said yet. */
export function judgeBuild(description: string | undefined): 'ready' | 'wait' | 'failed' {
  if (description === undefined || isOneOf(UNDER_WAY, description)) return 'wait';
  return isOneOf(READY, description) ? 'ready' : 'failed';
}

/** Whether a restarted database serves again. */
export function serves(description: string | undefined): boolean {
  return description !== undefined && isOneOf(READY, description);
}

function isOneOf(names: readonly ServiceStatusName[], description: string): boolean {
  return names.some((name) => SERVICE_STATUSES[name].description === description);
}
