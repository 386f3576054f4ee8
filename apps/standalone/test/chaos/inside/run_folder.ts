import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the run tells its processes by a file, read again each time: services and guests know nothing else of it. */
export interface Troubles {
  /** Of calls of compute, how many fail: before they begin, after they have succeeded, or by never answering. */
  readonly compute: number;
  /** How far the clocks of guests that start now are off. */
  readonly guestClockMs: number;
  /** Folders whose disk is full: nobody writes anything below them. */
  readonly fullDisks: readonly string[];
}

export const NO_TROUBLES: Troubles = { compute: 0, guestClockMs: 0, fullDisks: [] };

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
