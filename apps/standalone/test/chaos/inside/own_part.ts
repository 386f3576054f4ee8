import type { Random } from '@trove/testkit/random';
import { randomOf } from './run_folder.ts';

/** What a process knows of the run that it is a part of, by its environment. */
export interface OwnPart {
  readonly folder: string;
  /** `taskmanager-2`; empty in an agent. */
  readonly name: string;
  /** Of its code: 1 is what stands here, and those after it are `later_release.ts`'s. */
  readonly release: number;
  /** How far its clock is off. */
  readonly clockMs: number;
  /** Follows from the run's seed, the process's name, how often it was started, and `of`. */
  random(of?: string): Random;
}

export function ownPart(env: NodeJS.ProcessEnv = process.env): OwnPart {
  const { CHAOS_FOLDER: folder = '', CHAOS_NAME: name = '', CHAOS_SEED: seed = '', CHAOS_START: start = '' } = env;
  return {
    ...{ folder, name, release: Number(env['CHAOS_RELEASE'] ?? 1), clockMs: Number(env['CHAOS_CLOCK_MS'] ?? 0) },
    random: (of = '') => randomOf(seed, name, start, of),
  };
}
