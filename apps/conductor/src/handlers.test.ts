import { dbNow, toBigint } from '@trove/catalog';
import { type TestCatalog, testCatalog } from '@trove/catalog/testing';
import { createLogger, newUuid, silentLogger } from '@trove/common';
import type { ConductorHandlers, EventReport } from '@trove/crypto-rpc';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  age,
  legacyInstance,
  legacyReport,
  OTHER_NONCE,
  reportOf,
  sealedInstance,
  sealedReport,
  statusOf,
  wasTouched,
} from '../test/house.ts';
import { conductorHandlers } from './handlers.ts';

const healthy = { service_status: 'healthy' };

describe.each(['mysql', 'sqlite'] as const)('heartbeats on %s', (dialect) => {
  let catalog: TestCatalog;
  let take: ConductorHandlers['heartbeats'];

  beforeAll(async () => {
    catalog = await testCatalog(dialect);
    take = conductorHandlers({ catalog, logger: silentLogger }).heartbeats;
  });
  afterAll(() => catalog.dispose());

  test('a newer report of the greeted boot moves the watermark, the figures and the service status', async () => {
    const id = await sealedInstance(catalog);
    await age(catalog, id);
    await take([sealedReport(id, 11n, { ...healthy, volume_used: 0.5, volume_total: 3 })]);
    const report = await reportOf(catalog, id);
    expect(report).toMatchObject({ service_status: 'healthy', volume_used: 0.5, volume_total: 3 });
    expect([toBigint(report?.sequence ?? 0), await statusOf(catalog, id), await wasTouched(catalog, id)]).toEqual([
      11n,
      'healthy',
      true,
    ]);
  });

  test.each(['update_backup', 'report_root'])('%s is refused by name, and not sent round again', async (method) => {
    const lines: string[] = [];
    const logger = createLogger({ service: 'test', level: 'info', stream: { write: (line) => lines.push(line) } });
    const instanceId = newUuid();
    const inClear = {
      bootNonce: null,
      sequence: null,
      keyVersion: null,
      messageId: newUuid(),
      expiresMs: null,
      legacy: true,
    };
    const report = { method, instanceId, args: {}, ...inClear } as unknown as EventReport;
    await conductorHandlers({ catalog, logger }).event(report);
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { level: 'warn', message: 'report refused: this release has no such method', method, instance_id: instanceId },
    ]);
  });

  test('a report that is not newer changes nothing at all', async () => {
    const id = await sealedInstance(catalog);
    await take([sealedReport(id, 11n, healthy)]);
    await age(catalog, id);
    await take([
      sealedReport(id, 11n, { service_status: 'shutdown' }),
      sealedReport(id, 9n, { service_status: 'crashed' }),
    ]);
    expect([await statusOf(catalog, id), await wasTouched(catalog, id)]).toEqual(['healthy', false]);
    expect(toBigint((await reportOf(catalog, id))?.sequence ?? 0)).toBe(11n);
  });

  test('a report of another boot changes nothing and asks for one hello in 10 s', async () => {
    const id = await sealedInstance(catalog);
    await catalog.knex('instance_reports').where({ instance_id: id }).update({ hello_wanted: null });
    await take([sealedReport(id, 99n, healthy, { nonce: OTHER_NONCE })]);
    const first = await reportOf(catalog, id);
    await take([sealedReport(id, 100n, healthy, { nonce: OTHER_NONCE })]);
    const second = await reportOf(catalog, id);
    expect(toBigint(first?.hello_wanted ?? 0)).toBeGreaterThan(0n);
    expect(second?.hello_wanted).toEqual(first?.hello_wanted);
    expect([await statusOf(catalog, id), toBigint(second?.sequence ?? 0)]).toEqual(['new', 10n]);
  });

  test('an event takes effect at its first arrival, from the greeted boot; another boot asks for a hello', async () => {
    const id = await sealedInstance(catalog);
    await catalog.knex('instance_reports').where({ instance_id: id }).update({ hello_wanted: null });
    const told: unknown[] = [];
    const logger = { ...silentLogger, warn: (message: string) => void told.push(message) };
    const { event } = conductorHandlers({ catalog, logger });
    const { bootNonce, sequence, keyVersion, messageId } = sealedReport(id, 11n, healthy);
    const report = { instanceId: id, method: 'report_root', args: { instance_id: id }, legacy: false } as const;
    const facts = { bootNonce, sequence, keyVersion, messageId, expiresMs: Date.now() + 1000 };
    await event({ ...report, ...facts });
    await event({ ...report, ...facts });
    expect(told).toHaveLength(1);
    const other = Buffer.from(OTHER_NONCE, 'hex');
    await event({ ...report, ...facts, messageId: newUuid(), bootNonce: other });
    expect([told.length, toBigint((await reportOf(catalog, id))?.hello_wanted ?? 0) > 0n]).toEqual([1, true]);
  });

  test('an instance that was never greeted asks for a hello too', async () => {
    const id = await sealedInstance(catalog);
    await catalog.knex('instance_reports').where({ instance_id: id }).del();
    await take([sealedReport(id, 1n, healthy)]);
    const report = await reportOf(catalog, id);
    expect(report?.boot_nonce).toBeNull();
    expect(toBigint(report?.hello_wanted ?? 0)).toBeGreaterThan(0n);
  });

  test('an instance that is deleted, or whose keys are retired, takes no report', async () => {
    const [deleted, retired] = [await sealedInstance(catalog), await sealedInstance(catalog)];
    await catalog.knex('instances').where({ id: deleted }).update({ deleted: 1 });
    await catalog.knex('instance_keys').where({ instance_id: retired }).update({ state: 'retired' });
    await take([sealedReport(deleted, 11n, healthy), sealedReport(retired, 11n, healthy)]);
    expect([await statusOf(catalog, deleted), await statusOf(catalog, retired)]).toEqual(['new', 'new']);
  });

  test('of one batch the newest report of an instance counts, with what only older ones tell', async () => {
    const [one, other] = [await sealedInstance(catalog), await sealedInstance(catalog)];
    await take([
      sealedReport(one, 12n, { volume_used: 1 }),
      sealedReport(other, 20n, { service_status: 'shutdown' }),
      sealedReport(one, 11n, { ...healthy, volume_used: 0.1 }),
      sealedReport(one, 13n, {}),
    ]);
    const report = await reportOf(catalog, one);
    expect([toBigint(report?.sequence ?? 0), report?.volume_used, await statusOf(catalog, one)]).toEqual([
      13n,
      1,
      'healthy',
    ]);
    expect(await statusOf(catalog, other)).toBe('shutdown');
  });

  test('a report with figures that no column holds takes no other guest’s with it', async () => {
    const [odd, other] = [await sealedInstance(catalog), await sealedInstance(catalog)];
    const legacy = await legacyInstance(catalog);
    await take([
      sealedReport(odd, 2n ** 64n - 1n, { ...healthy, volume_used: Number.MAX_VALUE, volume_total: Infinity }),
      sealedReport(other, 11n, healthy),
      legacyReport(legacy, -Number.MAX_VALUE, 'healthy'),
    ]);
    expect(await statusOf(catalog, other)).toBe('healthy');
  });

  test('a stored RESTART_REQUIRED stays, its time too, for sealed and legacy guests', async () => {
    const [sealed, legacy] = [await sealedInstance(catalog), await legacyInstance(catalog)];
    for (const id of [sealed, legacy]) {
      const required = { status_id: 32, status_description: 'restart required' };
      await catalog.knex('service_statuses').where({ instance_id: id }).update(required);
      await age(catalog, id);
    }
    await take([sealedReport(sealed, 11n, healthy), legacyReport(legacy, 1000, 'healthy')]);
    for (const id of [sealed, legacy]) {
      expect([await statusOf(catalog, id), await wasTouched(catalog, id)]).toEqual(['restart required', false]);
    }
  });

  test("Trove's stale rule: the first is taken, an equal or older one is dropped, a newer one is taken", async () => {
    const id = await legacyInstance(catalog);
    await take([legacyReport(id, 1483986386.52, 'running')]);
    await take([legacyReport(id, 1483986386.52, 'crashed')]);
    await take([legacyReport(id, 1483986386.51, 'shutdown')]);
    expect(await statusOf(catalog, id)).toBe('running');
    await take([legacyReport(id, 1483986386.53, 'healthy')]);
    expect(await statusOf(catalog, id)).toBe('healthy');
    expect(await catalog.knex('conductor_lastseen').where({ instance_id: id }).first()).toMatchObject({
      sent: 1483986386.53,
    });
  });

  test('a legacy heartbeat without a time is taken, and one from the future counts as now', async () => {
    const id = await legacyInstance(catalog);
    await take([legacyReport(id, null, 'running')]);
    expect(await statusOf(catalog, id)).toBe('running');
    await take([legacyReport(id, Date.now() / 1000 + 7200, 'healthy')]);
    const row: { sent: number } | undefined = await catalog
      .knex('conductor_lastseen')
      .where({ instance_id: id })
      .first();
    expect(Math.abs((row?.sent ?? 0) - Date.now() / 1000)).toBeLessThan(30);
    expect(await statusOf(catalog, id)).toBe('healthy');
  });

  test('a legacy heartbeat touches no instance of policy 2, none between two keys, and makes no service status', async () => {
    const [sealed, between, bare] = [
      await sealedInstance(catalog),
      await legacyInstance(catalog),
      await legacyInstance(catalog),
    ];
    const pending = { version: 1, state: 'pending', sealed_key: 'x', uplink: 'x', kcv: '0'.repeat(12), policy: 2 };
    await catalog
      .knex('instance_keys')
      .insert({ instance_id: between, ...pending, exclusive_since: dbNow(catalog.knex) });
    await catalog.knex('service_statuses').where({ instance_id: bare }).del();
    await take([sealed, between, bare].map((id) => legacyReport(id, 1000, 'healthy')));
    expect([await statusOf(catalog, sealed), await statusOf(catalog, between), await statusOf(catalog, bare)]).toEqual([
      'new',
      'new',
      undefined,
    ]);
  });

  test('a status that Trove does not have is a sign of life only', async () => {
    const id = await sealedInstance(catalog);
    await age(catalog, id);
    await take([sealedReport(id, 11n, { service_status: 'dancing' })]);
    expect([await statusOf(catalog, id), await wasTouched(catalog, id)]).toEqual(['new', true]);
  });

  test('a batch brings the waiting tasks of its instances forward, and no others', async () => {
    const [reporting, silent] = [await sealedInstance(catalog), await sealedInstance(catalog)];
    const later = catalog.knex.raw('? + 60000000', [dbNow(catalog.knex)]);
    const ids = new Map<string, string>();
    for (const instance_id of [reporting, silent]) {
      const id = newUuid();
      ids.set(instance_id, id);
      await catalog.knex('tasks').insert({
        ...{
          id,
          kind: 'k',
          instance_id,
          project_id: 'p',
          params: '{}',
          state: 'waiting',
          attempt: 0,
          fence: 0,
          code_version: 1,
        },
        ...{
          wake_at: later,
          deadline: later,
          cancel_requested: 0,
          created: dbNow(catalog.knex),
          updated: dbNow(catalog.knex),
        },
      });
    }
    await take([sealedReport(reporting, 11n, healthy)]);
    const due = await catalog.knex('tasks').where('wake_at', '<=', dbNow(catalog.knex)).pluck('id');
    expect(due).toContain(ids.get(reporting));
    expect(due).not.toContain(ids.get(silent));
  });
});

interface Asked {
  readonly sql: string;
  readonly bindings: readonly unknown[];
}

test('a batch of 200 is a handful of statements, whatever its size, and none of them reads a table from end to end', async () => {
  const catalog = await testCatalog('mysql');
  const [sealed, legacy] = [await instances(catalog, sealedInstance), await instances(catalog, legacyInstance)];
  const take = conductorHandlers({ catalog, logger: silentLogger }).heartbeats;
  const beat = (round: number) => [
    ...sealed.map((id) => sealedReport(id, BigInt(10 + round), healthy)),
    ...legacy.map((id) => legacyReport(id, 1000 + round, 'healthy')),
  ];
  await take(beat(1));
  await catalog.knex.raw(
    'ANALYZE TABLE instances, instance_reports, instance_keys, service_statuses, conductor_lastseen',
  );
  const asked: Asked[] = [];
  catalog.knex.on('query', (query: Asked) => asked.push(query));
  await take(beat(2));
  catalog.knex.removeAllListeners('query');
  expect(asked.length).toBeLessThanOrEqual(8);
  const updates = asked.filter(({ sql }) => sql.startsWith('UPDATE JSON_TABLE'));
  expect(updates).toHaveLength(2);
  for (const { sql, bindings } of updates) {
    const [plan] = await catalog.knex.raw(`EXPLAIN ${sql}`, bindings as never);
    const scanned = plan.filter((line: { table: string; type: string }) => line.table !== 'v' && line.type === 'ALL');
    expect(scanned).toEqual([]);
  }
  const behind = await catalog
    .knex('instance_reports')
    .whereNotNull('sequence')
    .whereNot({ sequence: 12 })
    .pluck('instance_id');
  expect(behind).toEqual([]);
  await catalog.dispose();
});

async function instances(catalog: TestCatalog, make: (catalog: TestCatalog) => Promise<string>): Promise<string[]> {
  const ids: string[] = [];
  for (let count = 0; count < 200; count += 1) ids.push(await make(catalog));
  return ids;
}
