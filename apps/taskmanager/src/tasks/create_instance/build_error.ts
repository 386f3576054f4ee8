import type { TaskStatusName } from '@trove/contracts';

/** The task whose error says where a build stopped, as Trove names it. */
export function buildError(step: string | undefined): TaskStatusName {
  if (step === 'create_volume') return 'BUILDING_ERROR_VOLUME';
  if (step === 'await_agent' || step === 'prepare' || step === 'await_healthy') return 'BUILDING_ERROR_TIMEOUT_GA';
  return 'BUILDING_ERROR_SERVER';
}
