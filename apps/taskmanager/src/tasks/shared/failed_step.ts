import type { Json } from '@trove/tasks';
import { memberOf } from './outputs.ts';

/**
 * The step at which a task stopped: the first, in their order, that has no output of its own. Each of our steps has one when
 * it is done; while it waits, its progress stands there.
 */
export function failedStep(names: readonly string[], outputs: Readonly<Record<string, Json>>): string | undefined {
  return names.find((name) => (outputs[name] ?? null) === null || memberOf(outputs[name], 'progress') !== undefined);
}
