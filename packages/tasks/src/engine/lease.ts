import {
  type Catalog,
  type DatabaseBigint,
  dbNow,
  type InstanceRow,
  type TaskRow,
  toBigint,
  withStatement,
  withTransaction,
} from '@trove/catalog';
import { type Clock, isTroveError, type Logger, TroveError } from '@trove/common';
import type { Knex } from 'knex';
import { forUpdateSkipLocked } from '../row_locks.ts';
import type { TaskKind } from '../types.ts';
import type { Standing } from './decide.ts';
import { isDue, isKnown } from './due.ts';
import { storedError } from './task_row.ts';

export interface LeaseSettings {
  readonly catalog: Catalog;
  readonly kinds: readonly TaskKind[];
  readonly owner: string;
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface TakenTask {
  readonly row: TaskRow;
  readonly standing: Standing;
  /** When it was taken, epoch microseconds of the database. */
  readonly takenAt: bigint;
  /** It was put down in order, and is not taken over from a worker that died. */
  readonly waited: boolean;
  /** Of this process's monotonic clock, before the database was asked: the lease ends no later than this plus its length. */
  readonly askedAt: number;
}

/** A slot that turned out not to be the task's after its row was written: the transaction is undone. */
class NotTheHolder extends Error {}

/**
 * Takes the task where it is due and holds its instance's slot, and raises the instance's fence; undefined where another
 * worker was quicker or the task is not due. Affected rows decide, not what was read before.
 */
export async function takeTask(settings: LeaseSettings, taskId: string): Promise<TakenTask | undefined> {
  const askedAt = settings.clock.monotonic();
  try {
    const taken = await withTransaction(settings.catalog, (tx) => take(tx, settings, taskId));
    return taken && { ...taken, askedAt };
  } catch (error) {
    if (error instanceof NotTheHolder) return undefined;
    throw error;
  }
}

async function take(
  tx: Knex.Transaction,
  settings: LeaseSettings,
  taskId: string,
): Promise<Omit<TakenTask, 'askedAt'> | undefined> {
  const ofTask = (column: string): Knex.QueryBuilder => tx('tasks').where({ 'tasks.id': taskId }).select(column);
  const holder = tx<InstanceRow>('instances')
    .where('instances.id', ofTask('instance_id'))
    .where({ active_task_id: taskId })
    .first('instances.id', ofTask('state').as('state'));
  const locked: { id: string; state: string } | undefined = await forUpdateSkipLocked(tx, holder);
  if (locked === undefined) return undefined;
  const instance = { id: locked.id, active_task_id: taskId };
  const now = dbNow(tx);
  const taken = await tx('tasks')
    .where({ id: taskId })
    .where(isDue(tx))
    .where(isKnown(settings.kinds))
    .update({
      state: tx.raw("CASE WHEN state = 'compensating' THEN state ELSE 'running' END"),
      lease_owner: settings.owner,
      lease_until: tx.raw('? + ?', [now, settings.leaseMs * 1000]),
      fence: tx.raw('(SELECT instances.fence + 1 FROM instances WHERE instances.id = ?)', [instance.id]),
      wake_at: null,
      updated: now,
    });
  if (taken === 0) return undefined;
  const raised = await tx('instances')
    .where(instance)
    .update({ fence: tx.raw('fence + 1') });
  if (raised === 0) throw new NotTheHolder();
  return { ...(await readTaken(tx, taskId)), waited: locked.state === 'waiting' };
}

async function readTaken(
  tx: Knex.Transaction,
  taskId: string,
): Promise<Pick<TakenTask, 'row' | 'standing' | 'takenAt'>> {
  const takenAt = tx.raw('? AS taken_at', [dbNow(tx)]);
  const row: TaskRow & StandingRow & { taken_at: DatabaseBigint } = await tx('tasks')
    .where({ id: taskId })
    .first('tasks.*', pastDeadline(tx), takenAt);
  const taken = { standing: standingIn(row), takenAt: toBigint(row.taken_at) };
  const error = storedError(row.error);
  if (error?.parked !== true) return { row, ...taken };
  const before = error.before ? JSON.stringify(error.before) : null;
  await tx<TaskRow>('tasks').where({ id: taskId }).update({ error: before });
  return { row: { ...row, error: before }, ...taken };
}

interface StandingRow {
  readonly cancel_requested: number;
  readonly past_deadline: number;
}

function pastDeadline(tx: Knex): Knex.Raw {
  return tx.raw('CASE WHEN deadline < ? THEN 1 ELSE 0 END AS past_deadline', [dbNow(tx)]);
}

function standingIn(row: StandingRow): Standing {
  return { cancelRequested: Number(row.cancel_requested) === 1, pastDeadline: Number(row.past_deadline) === 1 };
}

/** What the row says of cancel and deadline, by the database's time. */
export async function readStanding(tx: Knex.Transaction, taskId: string): Promise<Standing | undefined> {
  const row: StandingRow | undefined = await tx('tasks')
    .where({ id: taskId })
    .first('cancel_requested', pastDeadline(tx));
  return row && standingIn(row);
}

/**
 * A task held by this worker. It renews itself in the background until `stop()`, always to the same length: however long a
 * call may take, a worker that dies in it keeps others waiting for one lease.
 */
export interface Lease {
  readonly taskId: string;
  readonly instanceId: string;
  readonly fence: bigint;
  /** Aborted when the lease is lost or has run out, and at the end of the engine's grace time. */
  readonly signal: AbortSignal;
  /** Renews to the whole length. Rejects with `STALE_FENCE` where the lease is lost. */
  renew(): Promise<void>;
  /** Renews where less than `ms` are left, or less than the whole length where that is shorter. */
  ensure(ms: number): Promise<void>;
  /** Ends all work under it at once, with this reason. */
  abort(reason: Error): void;
  stop(): void;
}

export function staleFence(): TroveError {
  return new TroveError('STALE_FENCE', 'Another worker has taken the task over.');
}

export function holdLease(settings: LeaseSettings, { row, askedAt }: TakenTask): Lease {
  const { clock, leaseMs, catalog, logger } = settings;
  const fence = toBigint(row.fence);
  const lost = new AbortController();
  const stopped = new AbortController();
  let until = askedAt + leaseMs;
  let turn: Promise<void> = Promise.resolve();

  async function renewNow(): Promise<void> {
    lost.signal.throwIfAborted();
    const asked = clock.monotonic();
    const renewed = await withStatement(catalog, (knex) =>
      knex('tasks')
        .where({ id: row.id, lease_owner: settings.owner, fence })
        .update({ lease_until: knex.raw('? + ?', [dbNow(knex), leaseMs * 1000]) }),
    );
    if (renewed === 0) lost.abort(staleFence());
    lost.signal.throwIfAborted();
    until = asked + leaseMs;
  }

  function renew(): Promise<void> {
    turn = turn.catch(() => undefined).then(renewNow);
    return turn;
  }

  async function keep(): Promise<void> {
    for (;;) {
      await clock.sleep(leaseMs / 3, stopped.signal);
      await renew().catch((error: unknown) => {
        if (!isTroveError(error, 'STALE_FENCE')) logger.warn('lease not renewed', { task_id: row.id, error });
      });
    }
  }

  async function watch(): Promise<void> {
    for (let left = leaseMs; left > 0; left = until - clock.monotonic()) await clock.sleep(left, stopped.signal);
    lost.abort(staleFence());
  }

  const quiet = (): void => undefined;
  keep().catch(quiet);
  watch().catch(quiet);
  return {
    taskId: row.id,
    instanceId: row.instance_id,
    fence,
    signal: lost.signal,
    renew,
    async ensure(ms) {
      lost.signal.throwIfAborted();
      if (until - clock.monotonic() < ms) await renew();
    },
    abort: (reason) => lost.abort(reason),
    stop: () => stopped.abort(),
  };
}
