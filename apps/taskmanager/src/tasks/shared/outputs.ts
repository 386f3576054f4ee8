import { TroveError } from '@trove/common';
import type { Json, JsonObject } from '@trove/tasks';

/** A member of a task's params or of a step's output as text. Throws `INTERNAL` where the journal does not hold it. */
export function textMember(object: Json | undefined, member: string): string {
  const value = memberOf(object, member);
  if (typeof value !== 'string') throw new TroveError('INTERNAL', `The task's journal has no text "${member}".`);
  return value;
}

/** The same where it may be absent or null. */
export function optionalText(object: Json | undefined, member: string): string | undefined {
  const value = memberOf(object, member);
  return typeof value === 'string' ? value : undefined;
}

export function numberMember(object: Json | undefined, member: string): number {
  const value = memberOf(object, member);
  if (typeof value !== 'number') throw new TroveError('INTERNAL', `The task's journal has no number "${member}".`);
  return value;
}

export function objectMember(object: Json | undefined, member: string): JsonObject {
  const value = memberOf(object, member);
  if (!isObject(value)) throw new TroveError('INTERNAL', `The task's journal has no object "${member}".`);
  return value;
}

export function memberOf(object: Json | undefined, member: string): Json | undefined {
  return isObject(object) ? object[member] : undefined;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
