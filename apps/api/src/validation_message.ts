import type { FastifySchemaValidationError } from 'fastify/types/schema.js';

type Finding = FastifySchemaValidationError & { data?: unknown };

const SHOWN_CHARACTERS = 64;

/**
 * A schema's finding in Trove's words: `Validation error: instance['name'] 5 is not of type 'string'`. The value stands in it
 * as Python writes it, cut short, and never where it is a password.
 */
export function validationMessage(findings: readonly Finding[]): string {
  // The last one is of the outermost schema: those before it are of its alternatives.
  const finding = findings.at(-1);
  if (finding === undefined) return 'Validation error.';
  const place = placeOf(finding.instancePath);
  return `Validation error: ${place === '' ? '' : `${place} `}${complaint(finding)}`;
}

/** `/instance/nics/0/net-id` as `instance['nics'][0]['net-id']`. */
function placeOf(pointer: string): string {
  const [first, ...rest] = pointer.split('/').slice(1).map(unescapePointer);
  if (first === undefined) return '';
  return first + rest.map((part) => (/^\d+$/.test(part) ? `[${part}]` : `['${part}']`)).join('');
}

function unescapePointer(part: string): string {
  return part.replaceAll('~1', '/').replaceAll('~0', '~');
}

function complaint(finding: Finding): string {
  const value = /password/i.test(finding.instancePath) ? "'***'" : pythonText(finding.data);
  const { params } = finding;
  switch (finding.keyword) {
    case 'required':
      return `'${String(params['missingProperty'])}' is a required property`;
    case 'additionalProperties':
      return `Additional properties are not allowed ('${cut(String(params['additionalProperty']))}' was unexpected)`;
    case 'type':
      return `${value} is not of type ${[params['type']]
        .flat()
        .map((type) => `'${String(type)}'`)
        .join(', ')}`;
    case 'pattern':
      return `${value} does not match '${String(params['pattern'])}'`;
    case 'minLength':
    case 'minItems':
      return `${value} is too short`;
    case 'maxLength':
    case 'maxItems':
      return `${value} is too long`;
    case 'minimum':
      return `${value} is less than the minimum of ${String(params['limit'])}`;
    case 'uniqueItems':
      return `${value} has non-unique elements`;
    case 'minProperties':
      return `${value} does not have enough properties`;
    case 'maxProperties':
      return `${value} has too many properties`;
    default:
      return `${value} is not valid under any of the given schemas`;
  }
}

/** A value as Python's repr shows it; objects and lists without what is in them. */
function pythonText(value: unknown): string {
  if (value === null) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (typeof value === 'string') return `'${cut(value)}'`;
  if (typeof value === 'number') return String(value);
  return Array.isArray(value) ? '[...]' : '{...}';
}

function cut(text: string): string {
  const characters = Array.from(text.slice(0, 2 * SHOWN_CHARACTERS + 2));
  return characters.length > SHOWN_CHARACTERS ? `${characters.slice(0, SHOWN_CHARACTERS).join('')}...` : text;
}
