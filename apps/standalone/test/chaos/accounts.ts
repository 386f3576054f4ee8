import type { Catalog, TaskRow } from '@trove/catalog';
import type { Entry, RequestKind } from './load.ts';

/** What became of the requests of one kind. */
export interface Tally {
  readonly kind: RequestKind;
  attempted: number;
  /** Answered with 2xx. */
  acknowledged: number;
  /** Answered with 4xx: nothing was to be done. */
  refused: number;
  done: number;
  failedVisibly: number;
  cancelled: number;
  /** Acknowledged, and taken back by a failover or a restore within whose time that was. */
  takenBack: number;
  lost: string[];
  duplicated: string[];
}

/** What a failover or a restore took back: from the moment of which the catalog still knows all, to its end. */
export interface TakenBack {
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
}

const ACCEPTED = 300;

/** Whether the request was acknowledged within that time: what was acknowledged before it has to be there. */
export function wasTakenBack(entry: Entry, { from, to }: TakenBack): boolean {
  const { askedAt, answeredAt } = entry;
  return isAcknowledged(entry) && answeredAt !== undefined && answeredAt >= from && askedAt <= to;
}

function isAcknowledged({ status }: Entry): boolean {
  return status !== undefined && status < ACCEPTED;
}

/** Databases by instance. */
export type Content = ReadonlyMap<string, readonly string[]>;

/** What each request led to, from the catalog alone; databases are looked for in `content`, by instance. */
export async function settleAccounts(
  { knex }: Catalog,
  entries: readonly Entry[],
  { content, takenBack }: { readonly content: Content; readonly takenBack: readonly TakenBack[] },
): Promise<readonly Tally[]> {
  const tasks = await knex<TaskRow>('tasks').select();
  const byKey = Map.groupBy(tasks, (task) => task.idempotency_key ?? task.id);
  const rows: { name: string }[] = await knex('instances').select('name');
  const instances = Map.groupBy(rows, ({ name }) => name);
  const tallies = new Map<RequestKind, Tally>();
  for (const entry of entries) {
    const tally = tallies.get(entry.kind) ?? emptyTally(entry.kind);
    tallies.set(entry.kind, tally);
    tally.attempted += 1;
    if (isAcknowledged(entry)) tally.acknowledged += 1;
    else if (entry.status !== undefined) tally.refused += 1;
    if (entry.kind === 'database') settleDatabase(tally, entry, content);
    else settleTask(tally, entry, byKey.get(entry.key) ?? [], takenBack);
  }
  const creates = tallies.get('create');
  for (const [name, same] of instances) if (same.length > 1) creates?.duplicated.push(`${same.length} × ${name}`);
  return [...tallies.values()];
}

function settleTask(tally: Tally, entry: Entry, tasks: readonly TaskRow[], takenBack: readonly TakenBack[]): void {
  const what = `${entry.kind} of ${entry.instanceId ?? 'an instance'} under key ${entry.key}, sent ${entry.sent} times`;
  if (tasks.length > 1) tally.duplicated.push(what);
  const [task] = tasks;
  if (task === undefined) {
    if (takenBack.some((time) => wasTakenBack(entry, time))) tally.takenBack += 1;
    else if (isAcknowledged(entry)) tally.lost.push(`${what}: no task`);
    return;
  }
  if (entry.instanceId !== undefined && task.instance_id !== entry.instanceId)
    tally.duplicated.push(`${what}: of another instance too`);
  if (task.state === 'done') tally.done += 1;
  else if (task.state === 'cancelled') tally.cancelled += 1;
  else if (task.state === 'failed' && task.error !== null) tally.failedVisibly += 1;
  else tally.lost.push(`${what}: task ${task.id} stands at ${task.state} ${task.step}`);
}

/** Of an instance that is still there and serves. */
function settleDatabase(tally: Tally, entry: Entry, content: Content): void {
  const there = content.get(entry.instanceId ?? '')?.filter((name) => name === entry.what).length;
  if (there === undefined) return;
  if (there > 0) tally.done += 1;
  if (there > 1) tally.duplicated.push(`database ${entry.what} of ${entry.instanceId}`);
  if (there === 0 && isAcknowledged(entry)) tally.lost.push(`database ${entry.what} of ${entry.instanceId}`);
}

function emptyTally(kind: RequestKind): Tally {
  const counts = { attempted: 0, acknowledged: 0, refused: 0, done: 0, failedVisibly: 0, cancelled: 0, takenBack: 0 };
  return { kind, ...counts, lost: [], duplicated: [] };
}

export function tallyTable(tallies: readonly Tally[]): string {
  const head = [
    '',
    'attempted',
    'acknowledged',
    'refused',
    'done',
    'failed visibly',
    'cancelled',
    'taken back',
    'lost',
    'duplicated',
  ];
  const rows = tallies.map((one) =>
    [
      one.kind,
      ...[one.attempted, one.acknowledged, one.refused, one.done, one.failedVisibly, one.cancelled],
      ...[one.takenBack, one.lost.length, one.duplicated.length],
    ].map(String),
  );
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  return [head, ...rows].map((row) => row.map((cell, i) => cell.padStart(widths[i] ?? 0)).join('  ')).join('\n');
}
