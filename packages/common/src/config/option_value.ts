import { Secret } from '../secret.ts';
import type { OptionSpec } from './options.ts';

/** A text that is no value of its option. The message says what is expected and never repeats the text. */
export class OptionValueError extends Error {
  override readonly name = 'OptionValueError';
}

const TRUE = new Set(['true', '1', 'yes', 'on']);
const FALSE = new Set(['false', '0', 'no', 'off']);

/** The value of an option other than a map from its text; an empty text is `undefined` (a list: empty). */
export function optionValue(spec: OptionSpec, text: string): unknown {
  const trimmed = text.trim();
  if (spec.type === 'list') return listOf(trimmed).map((item) => sealed(spec, chosen(spec, item)));
  if (trimmed === '') return undefined;
  switch (spec.type) {
    case 'boolean':
      return booleanOf(trimmed);
    case 'integer':
      return bounded(spec, integerOf(trimmed));
    case 'number':
      return bounded(spec, numberOf(trimmed));
    case 'map':
    case 'string':
      return sealed(spec, chosen(spec, text));
  }
}

/** The value of an option that nothing sets. */
export function defaultValue(spec: OptionSpec): unknown {
  if (spec.default === undefined) return spec.type === 'list' ? [] : undefined;
  return typeof spec.default === 'string' ? sealed(spec, spec.default) : spec.default;
}

function sealed(spec: OptionSpec, text: string): string | Secret {
  return spec.secret ? new Secret(text) : text;
}

function listOf(text: string): string[] {
  return text
    .split(/[,\n]/)
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function chosen(spec: OptionSpec, text: string): string {
  if (spec.laterChoices?.includes(text)) throw new OptionValueError(`"${text}" is not part of this release`);
  if (spec.choices && !spec.choices.includes(text))
    throw new OptionValueError(`one of ${spec.choices.join(', ')} is expected`);
  return text;
}

function booleanOf(text: string): boolean {
  const word = text.toLowerCase();
  if (TRUE.has(word)) return true;
  if (FALSE.has(word)) return false;
  throw new OptionValueError('true or false is expected');
}

function integerOf(text: string): number {
  const value = Number(text);
  if (!/^[+-]?\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new OptionValueError('a whole number is expected');
  return value;
}

function numberOf(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value)) throw new OptionValueError('a number is expected');
  return value;
}

function bounded(spec: OptionSpec, value: number): number {
  if (spec.min !== undefined && value < spec.min) throw new OptionValueError(`at least ${spec.min} is expected`);
  if (spec.max !== undefined && value > spec.max) throw new OptionValueError(`at most ${spec.max} is expected`);
  return value;
}
