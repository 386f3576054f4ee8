import type { TaskStatusName } from '@trove/contracts';

const ASK_THE_GUEST = ['await_agent', 'agree_key', 'prove_key', 'prepare', 'await_healthy'];

/** The task whose error says where a build stopped, as Trove names it. */
export function buildError(step: string | undefined): TaskStatusName {
  if (step === 'create_volume') return 'BUILDING_ERROR_VOLUME';
  if (step !== undefined && ASK_THE_GUEST.includes(step)) return 'BUILDING_ERROR_TIMEOUT_GA';
  return 'BUILDING_ERROR_SERVER';
}
