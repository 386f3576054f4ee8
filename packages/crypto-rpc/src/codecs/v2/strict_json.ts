import { isUtf8 } from 'node:buffer';
import { Refusal } from '../../rpc/refusal.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
export type JsonObject = { readonly [name: string]: Json };

const MAX_DEPTH = 32;
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype']);
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const NESTING = { openBracket: 0x5b, closeBracket: 0x5d, openBrace: 0x7b, closeBrace: 0x7d } as const;

/**
 * One JSON object from bytes. Refused (`content`): invalid UTF-8, anything but one object, a member name twice in one
 * object, more than 32 levels, and the names by which a copied object's prototype is reached.
 */
export function parseStrictObject(bytes: Buffer): JsonObject {
  if (!isUtf8(bytes)) throw new Refusal('content');
  return parseStrictText(bytes.toString('utf8'));
}

export function parseStrictText(text: string): JsonObject {
  const members = countMembers(text);
  const value = parse(text);
  if (!isJsonObject(value)) throw new Refusal('content');
  // JSON.parse keeps the last of two members of one name, so that fewer are left than the text has.
  if (countKept(value) !== members) throw new Refusal('content');
  return value;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal('content');
  }
}

/** The members of a JSON text: one colon outside strings each. The text may still be no JSON. */
function countMembers(text: string): number {
  let depth = 0;
  let colons = 0;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) {
      i = endOfString(text, i);
    } else if (code === COLON) {
      colons += 1;
    } else if (code === NESTING.openBrace || code === NESTING.openBracket) {
      depth += 1;
      if (depth > MAX_DEPTH) throw new Refusal('content');
    } else if (code === NESTING.closeBrace || code === NESTING.closeBracket) {
      depth -= 1;
    }
  }
  return colons;
}

function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end !== -1) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return end;
    end = text.indexOf('"', end + 1);
  }
  throw new Refusal('content');
}

function countKept(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let kept = 0;
  if (Array.isArray(value)) {
    for (const item of value) kept += countKept(item);
    return kept;
  }
  for (const [name, member] of Object.entries(value)) {
    if (FORBIDDEN.has(name)) throw new Refusal('content');
    kept += 1 + countKept(member);
  }
  return kept;
}
