import { newUuid, Secret } from '@trove/common';
import { selectRows, syncCatalog } from '@trove/migrations';
import { loadTroveDump, loadTroveHead } from '@trove/migrations/testing';
import type { Knex } from 'knex';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { dbNow } from './database_time.ts';
import { createKeyStore } from './keys/key_store.ts';
import { instanceIdCollation } from './operations/batch_rows.ts';
import { claimWantedHellos } from './operations/claim_wanted_hellos.ts';
import { listInstances, readInstance } from './operations/read_instances.ts';
import { recordLegacyReports } from './operations/record_legacy_reports.ts';
import { recordSealedReports } from './operations/record_sealed_reports.ts';
import { reserveQuota } from './operations/reserve_quota.ts';
import { commitQuota } from './operations/settle_quota.ts';
import { correctQuota } from './reconcile/correct_quota.ts';
import { type TestCatalog, testCatalog } from './testing.ts';
import { withTransaction } from './transaction.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const PROJECT = '56cca8484d3e48869126ada4f355c284';
const MANY = 2000;
let catalog: TestCatalog;

afterEach(async () => {
  await catalog.dispose();
});

/** A deployment large enough for the optimizer to mean what it says; one instance in ten is of the project that is asked for. */
async function fill(knex: Knex): Promise<string[]> {
  const ids = Array.from({ length: MANY }, () => newUuid());
  const insert = (table: string, row: (id: string, index: number) => object) =>
    knex.batchInsert(table, ids.map(row), 500);
  const project = (index: number) => (index % 10 === 0 ? PROJECT : `${index}`.padStart(32, '0'));
  const done = { kind: 'create_instance', params: '{}', deadline: 1, code_version: 1, created: 1, updated: 1 };
  await insert('instances', (id, index) => ({
    id,
    name: 'm',
    tenant_id: project(index),
    deleted: 0,
    rpc_policy: index % 3,
    created: '2026-01-01 00:00:00',
  }));
  await insert('service_statuses', (id) => ({
    id: newUuid(),
    instance_id: id,
    status_id: 33,
    status_description: 'healthy',
  }));
  await insert('conductor_lastseen', (id) => ({ instance_id: id, method_name: 'heartbeat', sent: 1 }));
  await insert('instance_reports', (id) => ({ instance_id: id, boot_nonce: '00'.repeat(16), sequence: 1 }));
  await insert('instance_keys', (id) => ({
    instance_id: id,
    version: 1,
    state: 'active',
    sealed_key: '',
    uplink: '',
    kcv: '',
    policy: 2,
  }));
  await insert('tasks', (id, index) => ({
    ...done,
    id: newUuid(),
    instance_id: id,
    project_id: project(index),
    state: index % 200 === 0 ? 'pending' : 'done',
  }));
  for (const table of [
    'instances',
    'service_statuses',
    'conductor_lastseen',
    'instance_reports',
    'instance_keys',
    'tasks',
  ])
    await knex.raw(`ANALYZE TABLE ${table}`);
  return ids;
}

/** What the tasks' poller asks. */
function dueTasks(knex: Knex): PromiseLike<unknown> {
  return knex('tasks')
    .join('instances', (on) => on.on('instances.id', 'tasks.instance_id').andOn('instances.active_task_id', 'tasks.id'))
    .whereIn('tasks.state', ['pending', 'running', 'waiting', 'compensating'])
    .where((lease) => void lease.whereNull('tasks.lease_until').orWhere('tasks.lease_until', '<', dbNow(knex)))
    .where((wait) => void wait.whereNull('tasks.wake_at').orWhere('tasks.wake_at', '<=', dbNow(knex)))
    .orderBy('tasks.created')
    .limit(20)
    .select('tasks.id');
}

async function hotQueries(id: string): Promise<Record<string, () => PromiseLike<unknown>>> {
  const { knex } = catalog;
  const idCollation = await instanceIdCollation(knex);
  const status = { status_id: 33, status_description: 'healthy' };
  const report = {
    ...status,
    instance_id: id,
    boot_nonce: '00'.repeat(16),
    key_version: 1,
    sequence: 2n,
    volume_used: 1,
    volume_total: 3,
  };
  const rings = { instance: [new Secret('a')], uplink: [] };
  return {
    list: () => listInstances(knex, { projectId: PROJECT, limit: 20, includeClustered: false }),
    'list, next page': () => listInstances(knex, { projectId: PROJECT, limit: 20, marker: id, includeClustered: true }),
    show: () => readInstance(knex, id),
    'poll of tasks': () => dueTasks(knex),
    'a sealed heartbeat': () =>
      withTransaction(catalog, (tx) => recordSealedReports(tx, { reports: [report], idCollation })),
    'a sealed heartbeat of another boot': () =>
      withTransaction(catalog, (tx) =>
        recordSealedReports(tx, { reports: [{ ...report, boot_nonce: '11'.repeat(16) }], idCollation }),
      ),
    'a legacy heartbeat': () =>
      withTransaction(catalog, (tx) =>
        recordLegacyReports(tx, { reports: [{ ...status, instance_id: id, sent: 2 }], idCollation }),
      ),
    'wanted hellos': () => claimWantedHellos(catalog, 20),
    'key look-up': () =>
      createKeyStore(catalog, rings, { role: 'conductor' })
        .guestPeer(id)
        .catch(() => undefined),
    'taking the slot': () =>
      knex('instances').where({ id, deleted: 0 }).whereNull('active_task_id').update({ active_task_id: id }),
    'tasks of an instance': () => knex('tasks').where({ instance_id: id }).orderBy('created').select('id'),
    quota: () =>
      withTransaction(catalog, async (tx) => {
        const own = { projectId: PROJECT, instanceId: id };
        await reserveQuota(tx, { ...own, amounts: { instances: 1, ram: 1, volumes: 1 }, defaults: {}, ramOf: () => 1 });
        await commitQuota(tx, own);
        await correctQuota(tx, { ...own, ramOf: () => 1 });
      }),
    'resources of an instance': () => knex('resources').where({ instance_id: id }).select('token'),
  };
}

interface Asked {
  readonly sql: string;
  readonly bindings: Knex.RawBinding[];
}

async function statementsOf(knex: Knex, ask: () => PromiseLike<unknown>): Promise<Asked[]> {
  const asked: Asked[] = [];
  const note = (query: Asked): void => {
    if (/^\s*(select|update|insert|delete)\b/i.test(query.sql))
      asked.push({ sql: query.sql, bindings: query.bindings });
  };
  knex.on('query', note);
  try {
    await ask();
  } finally {
    knex.removeListener('query', note);
  }
  return asked;
}

/** Tables of the catalog that the statement reads from end to end. */
async function fullScans(knex: Knex, { sql, bindings }: Asked): Promise<string[]> {
  const plan = await selectRows(knex, `EXPLAIN ${sql}`, bindings);
  const rows = Number((await selectRows(knex, 'SELECT COUNT(*) AS n FROM instances'))[0]?.['n']);
  return plan
    .filter((step) => (step['type'] === 'ALL' || step['type'] === 'index') && Number(step['rows']) > rows / 20)
    .map((step) => `${String(step['table'])} (${String(step['type'])}, ${String(step['rows'])} rows)`);
}

/** How many rows of a project's usages, and of others', the statement may lock at most; 0 where it locks none. */
async function locksOfUsages(knex: Knex, { sql, bindings }: Asked): Promise<number> {
  if (!/^update `quota_usages`|from `quota_usages` .* for update$/.test(sql)) return 0;
  const plan = await selectRows(knex, `EXPLAIN ${sql}`, bindings);
  return plan.reduce((sum, step) => sum + Number(step['rows']), 0);
}

describe.each([
  ['at version 40', (knex: Knex) => loadTroveDump(knex, 40)],
  ['at version 48', (knex: Knex) => loadTroveDump(knex, 48)],
  ['at its alembic head', (knex: Knex) => loadTroveHead(knex)],
  ['at version 48 in another charset', (knex: Knex) => loadTroveDump(knex, 48, 'latin1_swedish_ci')],
] as const)('in a catalog that Trove left %s', (_name, load) => {
  test('no query that is asked often reads a whole table', async () => {
    catalog = await testCatalog('mysql', 0);
    await load(catalog.knex);
    await syncCatalog(catalog.knex);
    const [id = ''] = await fill(catalog.knex);
    for (const [name, ask] of Object.entries(await hotQueries(id))) {
      const asked = await statementsOf(catalog.knex, ask);
      expect(asked.length, name).toBeGreaterThan(0);
      for (const statement of asked)
        expect(await fullScans(catalog.knex, statement), `${name}: ${statement.sql}`).toEqual([]);
      // The fewer rows a table has, the sooner one reads them all.
      const locks = await Promise.all(asked.map((statement) => locksOfUsages(catalog.knex, statement)));
      expect(Math.max(...locks), name).toBe(name === 'quota' ? 1 : 0);
    }
  });
});

test('an id column in another charset is found out', async () => {
  catalog = await testCatalog('mysql');
  const [id = ''] = await fill(catalog.knex);
  await catalog.knex.raw(
    'ALTER TABLE instance_reports MODIFY COLUMN instance_id varchar(36) CHARACTER SET latin1 NOT NULL',
  );
  const ask = (await hotQueries(id))['list'];
  const [list] = await statementsOf(catalog.knex, ask ?? (() => Promise.resolve()));
  expect(list === undefined ? [] : await fullScans(catalog.knex, list)).not.toEqual([]);
});
