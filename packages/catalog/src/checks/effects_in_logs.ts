import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { GuestEffects } from './effects.ts';
import type { Source } from './findings.ts';

/** What a guest writes, with method, key and its own id, before it changes anything, and when it lets a key try again. */
const LINES: Readonly<Record<string, 1 | -1>> = { 'request begun': 1, 'request forgotten': -1 };
/** Requests that are kept apart. */
const KEPT = 1_000_000;

/**
 * I8 as guests' logs tell it, which are apart from the volume on which a guest keeps what it has done: a request that was
 * begun from its beginning again, and had not failed in between, may have taken effect twice. Rejects where a file cannot be read.
 */
export async function effectsInLogs(files: readonly string[]): Promise<Source<readonly GuestEffects[]>> {
  const requests = new Map<string, GuestEffects>();
  let lines = 0;
  let notKept = 0;
  for (const file of files) {
    for await (const line of createInterface({ input: createReadStream(file, 'utf8'), crlfDelay: Infinity })) {
      const told = requestIn(line);
      if (told === undefined) continue;
      lines += 1;
      const key = `${told.instanceId} ${told.idempotencyKey}`;
      const known = requests.get(key);
      if (known === undefined && requests.size >= KEPT) notKept += 1;
      else requests.set(key, { ...told, times: (known?.times ?? 0) + told.times });
    }
  }
  if (lines === 0) return { notChecked: 'what guests have done: their logs are not among the files given' };
  if (notKept > 0) return { notChecked: `what guests have done: ${notKept} requests more than can be kept apart` };
  return { read: async () => [...requests.values()] };
}

function requestIn(line: string): GuestEffects | undefined {
  // Most lines are none: they are not worth parsing.
  if (!line.includes('"idempotency_key"')) return undefined;
  const { message, method, idempotency_key, instance_id } = parsed(line);
  const times = typeof message === 'string' && Object.hasOwn(LINES, message) ? LINES[message] : undefined;
  if (times === undefined || typeof method !== 'string') return undefined;
  if (typeof idempotency_key !== 'string' || typeof instance_id !== 'string') return undefined;
  return { instanceId: instance_id, idempotencyKey: idempotency_key, method, times, happened: 'was begun anew' };
}

function parsed(line: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
