import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Random, seededRandom } from '@trove/testkit/random';

/** What the run tells its processes by a file, read again each time: services and guests know nothing else of it. */
export interface Troubles {
  /** Of calls of compute, how many go wrong, in one of the ways that `faulty_compute.ts` has. */
  readonly compute: number;
  /** How far the clocks of guests that start now are off. */
  readonly guestClockMs: number;
  /** Folders whose disk is full: nobody writes anything below them. */
  readonly fullDisks: readonly string[];
  /** Of messages to and from guests, how many are lost, come twice, or come late and so after others. */
  readonly guestMessages: number;
  /** Of transactions that an api or a taskmanager commits, how many it is killed after, before it can say so. */
  readonly diesAfterCommit: { readonly api: number; readonly taskmanager: number };
}

export const NO_TROUBLES: Troubles = {
  compute: 0,
  guestClockMs: 0,
  fullDisks: [],
  guestMessages: 0,
  diesAfterCommit: { api: 0, taskmanager: 0 },
};

export function troublesFile(folder: string): string {
  return join(folder, 'troubles.json');
}

export function readTroubles(folder: string): Troubles {
  return JSON.parse(readFileSync(troublesFile(folder), 'utf8')) as Troubles;
}

/** The program that agents run as; the run writes it, since an agent gets neither arguments nor environment of ours. */
export function agentProgram(folder: string): string {
  return join(folder, 'agent.mjs');
}

export function effectsFolder(folder: string): string {
  return join(folder, 'effects');
}

/** Where steps of later releases leave what they do. */
export function marksFolder(folder: string): string {
  return join(folder, 'marks');
}

/** A random source of its own for each of a run's parts: what one draws changes nothing for another. */
export function randomOf(seed: number | string, ...part: readonly (string | number)[]): Random {
  const name = [seed, ...part].join(' ');
  return seededRandom(createHash('sha256').update(name).digest().readUInt32BE(0));
}
