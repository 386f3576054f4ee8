import { AsyncLocalStorage } from 'node:async_hooks';
import { appendFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { effectsFolder } from './run_folder.ts';

/** A request that a guest is working on. */
export interface Request {
  readonly instanceId: string;
  readonly method: string;
  readonly idempotencyKey: string;
}

export interface CountedEffects extends Request {
  readonly times: number;
}

const current = new AsyncLocalStorage<Request>();
let ownFolder: string | undefined;

export function keepEffectsIn(folder: string): void {
  ownFolder = effectsFolder(folder);
  mkdirSync(ownFolder, { recursive: true });
}

/** What `work` does is done for this request. */
export function during<T>(request: Request, work: () => T): T {
  return current.run(request, work);
}

/** Something in the world has changed: written down where a kill an instant later cannot take it back. */
export function tookEffect(effect: string): void {
  const request = current.getStore();
  if (request === undefined || ownFolder === undefined) return;
  const line = JSON.stringify({ ...request, method: `${request.method}: ${effect}` });
  appendFileSync(join(ownFolder, `${request.instanceId}.jsonl`), `${line}\n`);
}

/** All of them, counted by instance, method and effect, and idempotency key. */
export function countEffects(folder: string): readonly CountedEffects[] {
  const counts = new Map<string, number>();
  for (const name of readdirSync(effectsFolder(folder))) {
    const lines = readFileSync(join(effectsFolder(folder), name), 'utf8')
      .split('\n')
      .filter(Boolean);
    for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  return [...counts].map(([line, times]) => ({ ...(JSON.parse(line) as Request), times }));
}
