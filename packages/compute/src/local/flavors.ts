import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { TroveError } from '@trove/common';
import type { Flavor } from '../driver.ts';
import { readJson, writeJson } from './json_file.ts';

const FIRST_FLAVORS: readonly Flavor[] = [
  { id: '1', name: 'm1.tiny', ram: 512, vcpus: 1, disk: 1, ephemeral: 0 },
  { id: '2', name: 'm1.small', ram: 2048, vcpus: 1, disk: 20, ephemeral: 0 },
  { id: '25', name: 'm1.database', ram: 1024, vcpus: 1, disk: 5, ephemeral: 0 },
];

/** Writes the flavors file where there is none; what the operator has made of it stays. */
export function keepFlavorsFile(path: string): void {
  if (existsSync(path)) return;
  mkdirSync(dirname(path), { recursive: true });
  writeJson(path, FIRST_FLAVORS, 0o644);
}

/** The flavors in the file, or those that it will hold at first, where nobody has written it yet. */
export function flavorsOf(path: string): readonly Flavor[] {
  return existsSync(path) ? readFlavors(path) : FIRST_FLAVORS;
}

/** The flavors in the file, read anew each time. `CONFIG_INVALID` names the file and what is wrong with it. */
export function readFlavors(path: string): readonly Flavor[] {
  const content = readJson<unknown>(path);
  if (!Array.isArray(content)) throw new TroveError('CONFIG_INVALID', `flavors_file ${path} must hold a JSON array.`);
  return content.map((entry) => toFlavor(path, entry));
}

function toFlavor(path: string, entry: unknown): Flavor {
  const fields = new Map(Object.entries(entry !== null && typeof entry === 'object' ? entry : {}));
  const text = (name: string): string => {
    const value: unknown = fields.get(name);
    if (typeof value === 'string' && value !== '') return value;
    if (typeof value === 'number') return String(value);
    throw new TroveError('CONFIG_INVALID', `flavors_file ${path}: each flavor needs the text "${name}".`);
  };
  const count = (name: string, fallback?: number): number => {
    const value: unknown = fields.get(name) ?? fallback;
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
    throw new TroveError('CONFIG_INVALID', `flavors_file ${path}: each flavor needs the whole number "${name}".`);
  };
  return {
    id: text('id'),
    name: text('name'),
    ram: count('ram'),
    vcpus: count('vcpus'),
    disk: count('disk'),
    ephemeral: count('ephemeral', 0),
  };
}
