import { type Clock, TroveError } from '@trove/common';
import { type ArgsOf, type GuestApi, guestApi, type ResultOf } from '@trove/contracts';
import { agreedKey, newKeyPair } from '../keys/agreement.ts';
import { downlinkKey, keyCheckValue, uplinkKey } from '../keys/derive.ts';
import type { HeldKey, HeldKeys, HeldKeysFile } from '../keys/held_keys.ts';
import { isKeyMethod } from './key_methods.ts';
import { Refusal } from './refusal.ts';

/** Longer than another taskmanager takes over a dead one's rotation, and all of them have read the catalog anew. */
const DRAINED_MS = 120_000;
const BOOTSTRAP_MS = 30 * 60_000;

interface LiveKey {
  readonly held: HeldKey;
  readonly downlink: Buffer;
}

/** Replaced; nothing is opened under it from `until` on, by the monotonic clock. */
interface DrainingKey extends LiveKey {
  readonly until: number;
}

/**
 * The versions of its key that a guest opens something under: the active one; beside it one that was agreed on and opens the
 * `hello` that proves it; and for 2 min each that was replaced, for calls of those who do not know it yet.
 */
export class GuestKeyring {
  readonly #file: HeldKeysFile;
  readonly #clock: Clock;
  readonly #startedAt: number;
  #active: LiveKey;
  #pending: LiveKey | undefined;
  #draining: readonly DrainingKey[] = [];

  constructor(file: HeldKeysFile, clock: Clock) {
    const { active, pending } = file.read();
    this.#file = file;
    this.#clock = clock;
    this.#startedAt = clock.monotonic();
    this.#active = live(active);
    if (pending !== undefined && pending.version > active.version) this.#pending = live(pending);
  }

  /** Kdn of this version; undefined where nothing is opened under it. */
  downlink(version: number): Buffer | undefined {
    return this.#live(version)?.downlink;
  }

  /**
   * Throws a `Refusal` unless this method may be asked under this version now.
   * @param at when it was sealed, and what time it is where that is known; milliseconds since 1970 as the catalog counts them
   */
  admit(version: number, method: string, at: { readonly issued: number; readonly now: number | undefined }): void {
    const key = this.#live(version);
    if (key === undefined) throw new Refusal('key_version');
    if (key === this.#pending && method !== guestApi.hello.name) throw new Refusal('key_version');
    if (this.#draining.some((old) => old === key) && isKeyMethod(method)) throw new Refusal('key_version');
    const until = key.held.bootstrapUntil;
    if (until === undefined) return;
    const isOver =
      at.issued >= until || (at.now ?? at.issued) >= until || this.#clock.monotonic() - this.#startedAt >= BOOTSTRAP_MS;
    if (isOver || !isKeyMethod(method)) throw new Refusal('bootstrap');
  }

  /** What reports are sealed under: nothing as long as there is no key but an injected one. */
  reportKey(): { readonly version: number; readonly rootKey: Buffer } | undefined {
    const { version, text, bootstrapUntil } = this.#active.held;
    return bootstrapUntil === undefined ? { version, rootKey: uplinkKey(text.reveal()) } : undefined;
  }

  checkValue(version: number): string {
    const key = this.#live(version);
    if (key === undefined) throw new TroveError('INTERNAL', 'The key went while it was used.');
    return keyCheckValue(key.held.text.reveal());
  }

  /**
   * Agrees on the next key under version `under`, which is the active one: a `hello` between the request's checks and here may
   * have changed it, and the other side would come to another key. What is agreed on is pending, and on the disk, before the
   * answer goes out.
   */
  agree(
    { version, public: taskmanagers }: ArgsOf<GuestApi['rotate_key']>,
    under: number,
  ): ResultOf<GuestApi['rotate_key']> {
    const active = this.#active.held;
    if (active.version !== under)
      throw new TroveError('GUEST_ERROR', 'The key was changed meanwhile.', { retryable: true });
    if (version <= active.version)
      throw new TroveError('GUEST_ERROR', 'The version of a new key is above that of the present one.');
    const own = newKeyPair();
    const other = Buffer.from(taskmanagers, 'hex');
    const sides = { taskmanager: other, guest: own.public };
    const text = agreedKey(own, other, { version, oldKey: active.text.reveal(), ...sides });
    this.#keep({ active, pending: { version, text } });
    return { public: own.public.toString('hex'), kcv: keyCheckValue(text.reveal()) };
  }

  /** A `hello` opened under this version: the other side has the key, so it becomes this guest's. */
  prove(version: number): void {
    const pending = this.#pending;
    if (pending?.held.version !== version) return;
    const old = this.#active;
    this.#keep({ active: pending.held });
    // Under an injected key nobody has anything on the way.
    if (old.held.bootstrapUntil === undefined)
      this.#draining = [...this.#draining, { ...old, until: this.#clock.monotonic() + DRAINED_MS }];
  }

  /** In memory only what the disk has. */
  #keep(keys: HeldKeys): void {
    this.#file.write(keys);
    this.#active = live(keys.active);
    this.#pending = keys.pending && live(keys.pending);
  }

  #live(version: number): LiveKey | undefined {
    const now = this.#clock.monotonic();
    this.#draining = this.#draining.filter(({ until }) => now < until);
    return [this.#active, this.#pending, ...this.#draining].find((key) => key?.held.version === version);
  }
}

function live(held: HeldKey): LiveKey {
  return { held, downlink: downlinkKey(held.text.reveal()) };
}
