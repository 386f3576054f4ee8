/** What holds between catalog, compute, broker, keys and quota while nothing is under way. */
export const INVARIANTS = {
  I1: 'no task is unfinished past both its deadlines',
  I2: 'no instance is in a transient status without a live task',
  I3: 'every server, volume, snapshot, account and queue of this deployment has exactly one owner',
  I4: 'an instance has at most one server and one connected agent',
  I5: 'quota used is what exists',
  I6: "the guest's key and the catalog's are the same, and no policy went down",
  I7: 'every accepted request is done, failed visibly or cancelled',
  I8: 'no guest method took effect twice for one idempotency key',
  I9: 'no key, token or password is in a log, and nothing of a sealed peer is on the bus in clear',
  I10: 'queues drain, and every dead letter is explained',
} as const;

export type InvariantId = keyof typeof INVARIANTS;

export interface Finding {
  /** The same in the next reading, if it is still there. */
  readonly key: string;
  readonly instanceId: string | null;
  readonly what: string;
  /** Milliseconds since 1970; null where nothing tells. */
  readonly since: number | null;
  readonly todo: string;
}

/** What one check has to say: what it found, and what it could not look at, with the reason. */
export interface CheckResult {
  readonly findings: readonly Finding[];
  readonly notChecked: readonly string[];
  /** How much was looked at, where that does not go without saying. */
  readonly notes?: readonly string[];
}

export interface InvariantResult extends CheckResult {
  readonly invariant: InvariantId;
  readonly title: string;
}

/** Something that may be out of reach: then it says why. */
export type Source<T> = { readonly read: () => Promise<T> } | { readonly notChecked: string };

/** What was read of a source, or why it was not. */
export type Sourced<T> = { readonly value: T } | { readonly notChecked: string };

export async function readSource<T>(source: Source<T>): Promise<Sourced<T>> {
  return 'read' in source ? { value: await source.read() } : source;
}

/** A check of something that may be out of reach. */
export function ofSourced<T>(sourced: Sourced<T>, check: (value: T) => readonly Finding[]): CheckResult {
  return 'value' in sourced
    ? { findings: check(sourced.value), notChecked: [] }
    : { findings: [], notChecked: [sourced.notChecked] };
}

/** Several checks of one invariant. */
export function together(...results: readonly CheckResult[]): CheckResult {
  return {
    findings: results.flatMap((result) => result.findings),
    notChecked: [...new Set(results.flatMap((result) => result.notChecked))],
    notes: results.flatMap((result) => result.notes ?? []),
  };
}

export function found(findings: readonly Finding[]): CheckResult {
  return { findings, notChecked: [] };
}

/** Epoch microseconds of the database as milliseconds. */
export function millis(micros: bigint): number {
  return Number(micros / 1000n);
}

/** One of Trove's DATETIME texts as milliseconds since 1970. */
export function troveMillis(text: string | null): number | null {
  return text === null ? null : Date.parse(`${text.replace(' ', 'T')}Z`);
}
