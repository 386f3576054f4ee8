import type { RpcMethod } from '@trove/contracts';
import { Ajv, type ValidateFunction } from 'ajv';
import type { TSchema } from 'typebox';
import { isJsonObject } from '../codecs/v2/strict_json.ts';
import { Refusal } from './refusal.ts';

// Nothing is coerced, defaulted or removed: what does not fit is refused as it is.
const ajv = new Ajv({
  strict: false,
  allErrors: false,
  coerceTypes: false,
  useDefaults: false,
  removeAdditional: false,
});
const compiled = new WeakMap<TSchema, ValidateFunction>();

/** Whether a value fits a schema, which is compiled once. */
export function fits(schema: TSchema, value: unknown): boolean {
  let validate = compiled.get(schema);
  if (validate === undefined) {
    validate = ajv.compile(schema);
    compiled.set(schema, validate);
  }
  return validate(value) === true;
}

/** Throws a `Refusal` (`arguments`) where they do not fit the method's schema; unknown members do not. */
export function checkArguments(method: RpcMethod, args: unknown): void {
  if (!fits(method.args, args)) throw new Refusal('arguments');
}

/** Throws a `Refusal` (`foreign_id`) where an instance id anywhere in the arguments is not the sender's. */
export function checkOwnIds(args: unknown, instanceId: string): void {
  if (Array.isArray(args)) {
    for (const item of args) checkOwnIds(item, instanceId);
  } else if (isJsonObject(args)) {
    for (const [name, value] of Object.entries(args)) {
      if (name.endsWith('instance_id') && value !== instanceId) throw new Refusal('foreign_id');
      checkOwnIds(value, instanceId);
    }
  }
}
