import { randomFraction } from './ids.ts';

/** Full jitter: a random wait in [0, min(capMs, baseMs · 2^attempt)] milliseconds; `attempt` counts from 0. */
export function fullJitterMs(attempt: number, baseMs: number, capMs: number): number {
  return Math.floor(randomFraction() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30)));
}
