import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Knex } from 'knex';
import { dialectOf, microsecondsSql } from './dialect.ts';
import { MigrationError } from './errors.ts';

/**
 * One process moves a catalog at a time. The lock is a lease in the catalog itself, in the database's time: a holder that
 * died stops renewing it, and whoever waits takes it over. (MySQL's GET_LOCK does not reach the other nodes of a Galera cluster.)
 */
export interface MigrationLock {
  /** Throws a MigrationError when the lease was lost: somebody else may be at work. Renews it. */
  renew(): Promise<void>;
  release(): Promise<void>;
}

export interface LockOptions {
  /** How long a dead holder keeps others waiting. */
  leaseMs: number;
  /** Called once, when another process holds the lock. */
  onWaiting?: ((holder: string) => void) | undefined;
}

export async function takeLock(knex: Knex, options: LockOptions): Promise<MigrationLock> {
  const owner = `${hostname().slice(0, 60)}:${process.pid}:${randomUUID()}`;
  const now = microsecondsSql(dialectOf(knex));
  const until = knex.raw(`${now} + ?`, [options.leaseMs * 1000]);
  for (let told = false; ; told = true) {
    const taken = await knex('catalog_version')
      .where({ id: 1 })
      .andWhereRaw(`(lock_owner IS NULL OR lock_until < ${now})`)
      .update({ lock_owner: owner, lock_until: until });
    if (taken === 1) break;
    if (!told) options.onWaiting?.(await holderOf(knex));
    await delay(Math.min(1000, options.leaseMs / 4));
  }
  const held = () => knex('catalog_version').where({ id: 1, lock_owner: owner });
  return {
    renew: async () => {
      if ((await held().update({ lock_until: until })) === 0)
        throw new MigrationError('the migration lock was lost: another db_sync has taken over');
    },
    release: async () => {
      await held().update({ lock_owner: null, lock_until: null });
    },
  };
}

async function holderOf(knex: Knex): Promise<string> {
  const row = await knex<{ id: number; lock_owner: string | null }>('catalog_version')
    .where({ id: 1 })
    .first('lock_owner');
  return (row?.lock_owner ?? 'nobody').split(':').slice(0, 2).join(':');
}
