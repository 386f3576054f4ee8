import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { type Clock, type ErrorCode, isTroveError, type Logger, TroveError, toTroveError } from '@trove/common';
import type { GuestFiles } from './guest_files.ts';

interface Entry {
  readonly method: string;
  readonly state: 'started' | 'done' | 'failed';
  /** Milliseconds since 1970. */
  readonly started: number;
  /** What the work has written down before it changed anything. */
  readonly note?: string;
  readonly result?: unknown;
  readonly error?: { readonly code: ErrorCode; readonly message: string };
}

export interface OnceWork<R> {
  /** False: the result holds a secret, is not written down, and a repetition rejects with `ALREADY_DONE`. */
  readonly keepsResult: boolean;
  /** `note` writes down, before a change, what a later `recover` needs to see whether it happened. */
  readonly run: (note: (text: string) => void) => Promise<R>;
  /** After a crash in the middle of `run`: looks what of the effect is there, and does the rest. */
  readonly recover: (note: string | undefined, writeNote: (text: string) => void) => Promise<R>;
}

interface Request {
  readonly key: string;
  /** Of its file. */
  readonly name: string;
  readonly method: string;
}

export interface Outcome {
  readonly state: 'unknown' | 'started' | 'done' | 'failed';
  readonly error?: { readonly code: string; readonly message: string };
}

/** Longer than any task lives. */
const KEEP_MS = 7 * 24 * 3600 * 1000;

/**
 * What was done under which idempotency key, on the volume: a second arrival gets the first one's result. Results hold no
 * secrets. A failure that may pass is forgotten, so that the same key may try again. The log has a line for each that is
 * begun and each that is forgotten: kept apart from the volume, it tells whether one was ever begun twice.
 */
export class OnceJournal {
  readonly #files: GuestFiles;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(files: GuestFiles, clock: Clock, logger: Logger) {
    this.#files = files;
    this.#clock = clock;
    this.#logger = logger;
    this.#forgetOld();
  }

  async once<R>(key: string, method: string, work: OnceWork<R>): Promise<R> {
    const name = fileName(key);
    const running = this.#running.get(name) ?? this.#start({ key, name, method }, work);
    return (await running) as R;
  }

  /** How it ended. One that a crash has interrupted is `unknown`: asked for again, it is ended. */
  outcome(key: string): Outcome {
    const name = fileName(key);
    const entry = this.#read(name);
    if (entry === undefined) return { state: 'unknown' };
    if (entry.state === 'started') return { state: this.#running.has(name) ? 'started' : 'unknown' };
    return entry.error === undefined ? { state: entry.state } : { state: entry.state, error: entry.error };
  }

  /** Resolves when nothing is running. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#running.values());
  }

  #start<R>(request: Request, work: OnceWork<R>): Promise<R> {
    const promise = this.#perform(request, work).finally(() => this.#running.delete(request.name));
    this.#running.set(request.name, promise);
    return promise;
  }

  async #perform<R>({ key, name, method }: Request, work: OnceWork<R>): Promise<R> {
    const found = this.#read(name);
    if (found !== undefined && found.method !== method) {
      throw new TroveError('CONFLICT', 'The idempotency key belongs to another method.');
    }
    if (found?.state === 'done') {
      if (work.keepsResult) return found.result as R;
      throw new TroveError('ALREADY_DONE', 'This was done before; its result is not kept.');
    }
    if (found?.error !== undefined) throw new TroveError(found.error.code, found.error.message);
    let entry: Entry = found ?? { method, state: 'started', started: this.#clock.now() };
    const note = (text: string): void => {
      entry = { ...entry, note: text };
      this.#write(name, entry);
    };
    const told = { method, idempotency_key: key };
    if (found === undefined) {
      this.#write(name, entry);
      this.#logger.info('request begun', told);
    }
    const result = await this.#work(work, found, note).catch((error: unknown) => {
      // Said before it is forgotten: whoever is killed between the two has said too much rather than too little.
      if (isPassing(error)) this.#logger.info('request forgotten', told);
      this.#fail(name, entry, error);
      throw error;
    });
    // Where the disk is full the work is done all the same: it stays "started", and the next try recovers it.
    this.#write(name, { ...entry, state: 'done', ...(work.keepsResult && { result }) });
    return result;
  }

  async #work<R>(work: OnceWork<R>, found: Entry | undefined, note: (text: string) => void): Promise<R> {
    return await (found === undefined ? work.run(note) : work.recover(found.note, note));
  }

  #fail(name: string, entry: Entry, error: unknown): void {
    if (isPassing(error)) return this.#files.remove(name);
    const { code, message } = toTroveError(error);
    this.#write(name, { ...entry, state: 'failed', error: { code, message } });
  }

  #read(name: string): Entry | undefined {
    const text = this.#files.read(name);
    return text === undefined ? undefined : (JSON.parse(text) as Entry);
  }

  #write(name: string, entry: Entry): void {
    this.#files.write(name, JSON.stringify(entry));
  }

  #forgetOld(): void {
    for (const name of readdirSync(this.#files.folder).filter((entry) => entry.endsWith('.json'))) {
      const old = (this.#read(name)?.started ?? 0) < this.#clock.now() - KEEP_MS;
      if (old) this.#files.remove(name);
    }
  }
}

function isPassing(error: unknown): boolean {
  return !isTroveError(error) || error.retryable;
}

/** Keys are the caller's text; as names of files they are hashed. */
function fileName(key: string): string {
  return `${createHash('sha256').update(key).digest('hex')}.json`;
}
