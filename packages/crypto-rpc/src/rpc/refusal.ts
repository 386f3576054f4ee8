/**
 * Why a message was refused. Every refusal looks the same from outside (nothing happens); the reason goes to the counters
 * and the log only.
 */
export const REFUSAL_REASONS = [
  'size',
  'copied_route',
  'shape',
  'receiver',
  'pair',
  'user_id',
  'unknown_call',
  'request_binding',
  'unknown_sender',
  'quarantine',
  'policy',
  'key_version',
  'bootstrap',
  'rate',
  'commitment',
  'open',
  'content',
  'expiry',
  'boot_nonce',
  'duplicate',
  'method',
  'arguments',
  'foreign_id',
] as const;

export type RefusalReason = (typeof REFUSAL_REASONS)[number];

/** What may be logged beside a reason: nothing in it was secret on the wire, and none of it is trusted. */
export interface RefusalFacts {
  readonly queue: string;
  readonly bytes: number;
  /** The party that the message claims to be from, such as `guest:<id>`; absent where the header could not be read. */
  readonly claimed_sender?: string;
}

export type OnRefused = (reason: RefusalReason, facts: RefusalFacts) => void;

/** Thrown by codecs and checks, and by nothing else: the message is dropped and counted under `reason`. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason) {
    super(reason);
    this.reason = reason;
  }
}
