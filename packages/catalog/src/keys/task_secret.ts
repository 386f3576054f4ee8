import { hkdfSha256, type Secret } from '@trove/common';
import { isV2AtRest, openAtRest, type Place, type Ring, sealAtRest } from './at_rest.ts';

/** Seals a task's secret parameters under the control plane's key. With an empty ring they stay as they are. */
export function sealTaskSecret(controlRing: readonly Secret[], taskId: string, text: string): string {
  return controlRing.length === 0 ? text : sealAtRest(taskRing(controlRing), placeOf(taskId), text);
}

/** The inverse. What was stored while there was no control-plane key comes back as it is. */
export function openTaskSecret(controlRing: readonly Secret[], taskId: string, text: string): string {
  return isV2AtRest(text) ? openAtRest(taskRing(controlRing), placeOf(taskId), text).toString('utf8') : text;
}

/** The keys that tasks' secrets rest under, one for each of K1's ring. */
export function taskRing(controlRing: readonly Secret[]): Ring {
  return controlRing.map((key) => hkdfSha256(key.reveal(), 'trove-rest-v2', 'task', 32));
}

function placeOf(taskId: string): Place {
  return { table: 'tasks', column: 'params', rowId: taskId, version: 1, policy: 2 };
}
