import { randomBytes } from 'node:crypto';
import { type Clock, newUuid, silentLogger, systemClock } from '@trove/common';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { toBigint } from '../bigint.ts';
import { createCatalogClock } from '../catalog_clock.ts';
import type { InstanceReportRow } from '../tables.ts';
import { type TestCatalog, testCatalog } from '../testing.ts';
import { withTransaction } from '../transaction.ts';
import { instanceIdCollation } from './batch_rows.ts';
import { insertInstance } from './insert_instance.ts';
import { liftQuarantine, listQuarantine, wantHello } from './quarantine.ts';
import { type HelloOutcome, recordHello } from './record_hello.ts';
import { recordSealedReports } from './record_sealed_reports.ts';
import { claimArrival, purgeArrivals } from './rpc_inbox.ts';

describe.each(['mysql', 'sqlite'] as const)('nothing twice, on %s', (dialect) => {
  let catalog: TestCatalog;
  let id: string;

  beforeAll(async () => {
    catalog = await testCatalog(dialect);
  });
  afterAll(() => catalog.dispose());
  beforeEach(async () => {
    id = newUuid();
    const row = { name: 'one', tenant_id: 'p', flavor_id: '1', volume_size: 1, datastore_version_id: null };
    await withTransaction(catalog, (tx) => insertInstance(tx, { id, ...row, region_id: null, access: null }));
    const key = { version: 1, state: 'active', sealed_key: 'x', uplink: 'x', kcv: '0'.repeat(12), policy: 2 };
    await catalog.knex('instance_keys').insert({ instance_id: id, ...key });
  });

  const stored = async (): Promise<InstanceReportRow | undefined> =>
    await catalog.knex<InstanceReportRow>('instance_reports').where({ instance_id: id }).first();

  const hello = async (bootNonce: string): Promise<HelloOutcome> => {
    const expectedNonce = (await stored())?.boot_nonce ?? null;
    const told = { instanceId: id, expectedNonce, bootNonce, sequence: 1n, keyVersion: 1 };
    return await withTransaction(catalog, (tx) => recordHello(tx, told));
  };

  const report = (bootNonce: string, sequence: bigint): Promise<void> =>
    withTransaction(catalog, async (tx) =>
      recordSealedReports(tx, {
        idCollation: await instanceIdCollation(catalog.knex),
        reports: [
          {
            ...{ instance_id: id, boot_nonce: bootNonce, key_version: 1, sequence },
            ...{ status_id: null, status_description: null, volume_used: 1, volume_total: 2 },
          },
        ],
      }),
    );

  test('a message takes effect at its first arrival, whoever takes it, and stands or falls with the effect', async () => {
    const arrival = { sender: 'api', messageId: randomBytes(16).toString('hex'), expiresMs: Date.now() };
    const undone = withTransaction(catalog, async (tx) => {
      expect(await claimArrival(tx, arrival)).toBe(true);
      throw new Error('the effect failed');
    });
    await expect(undone).rejects.toThrow('the effect failed');
    const answers = await Promise.all([1, 2, 3, 4].map(() => claimArrival(catalog.knex, arrival)));
    expect(answers.filter(Boolean)).toHaveLength(1);
    expect(await claimArrival(catalog.knex, { ...arrival, sender: `guest:${id}` })).toBe(true);
  });

  test('ids are forgotten two minutes after their messages expired, and no earlier', async () => {
    const arrival = (messageId: string, ageMs: number) => ({
      sender: `guest:${id}`,
      messageId,
      expiresMs: Date.now() - ageMs,
    });
    await claimArrival(catalog.knex, arrival('old', 125_000));
    await claimArrival(catalog.knex, arrival('young', 110_000));
    expect(await purgeArrivals(catalog)).toBeGreaterThan(0);
    const left: { message_id: string }[] = await catalog.knex('rpc_inbox').where({ sender: `guest:${id}` });
    expect(left.map((row) => row.message_id)).toEqual(['young']);
  });

  test('two boots that alternate within a minute are a clone: quarantine, until it is lifted', async () => {
    const [one, other] = ['aa'.repeat(16), 'bb'.repeat(16)] as const;
    expect([await hello(one), await hello(one), await hello(other), await hello(one)]).toEqual([
      'stored',
      'stored',
      'stored',
      'clone',
    ]);
    expect(await listQuarantine(catalog.knex)).toMatchObject([{ instance_id: id }]);
    expect(await hello(other)).toBe('overtaken');
    await report(one, 100n);
    await report(other, 100n);
    await wantHello(catalog.knex, id);
    const silent = await stored();
    expect([silent?.volume_used, toBigint(silent?.hello_wanted ?? 0) < 0n]).toEqual([null, true]);
    expect([await liftQuarantine(catalog.knex, id), await liftQuarantine(catalog.knex, id)]).toEqual([true, false]);
    expect(toBigint((await stored())?.hello_wanted ?? 0)).toBeGreaterThan(0n);
    expect([await hello(other), await listQuarantine(catalog.knex)]).toEqual(['stored', []]);
  });

  test('starting anew, however often, and coming back after a minute are no clone', async () => {
    const nonces = ['aa', 'bb', 'cc', 'dd'].map((digits) => digits.repeat(16));
    for (const nonce of nonces) expect(await hello(nonce)).toBe('stored');
    await catalog
      .knex('instance_reports')
      .where({ instance_id: id })
      .update({ nonce_since: catalog.knex.raw('nonce_since - 61000000') });
    expect(await hello('cc'.repeat(16))).toBe('stored');
  });

  test('a sequence that has gone back, as after a resumed snapshot, asks for a hello and changes nothing', async () => {
    const nonce = 'aa'.repeat(16);
    await hello(nonce);
    await report(nonce, 50n);
    await catalog.knex('instance_reports').where({ instance_id: id }).update({ hello_wanted: null });
    await report(nonce, 50n);
    expect((await stored())?.hello_wanted).toBeNull();
    await report(nonce, 20n);
    const row = await stored();
    expect([toBigint(row?.sequence ?? 0), toBigint(row?.hello_wanted ?? 0) > 0n]).toEqual([50n, true]);
  });

  test("a service's time is the catalog's, whatever its machine shows, and goes on where the machine's is set", async () => {
    let offset = 3_600_000;
    const wrong: Clock = { ...systemClock, now: () => Date.now() + offset };
    const clock = createCatalogClock(catalog, { clock: wrong, logger: silentLogger });
    expect(clock.now() - Date.now()).toBeGreaterThan(3_500_000);
    await clock.start();
    offset = -7_200_000;
    expect(Math.abs(clock.now() - Date.now())).toBeLessThan(60_000);
    clock.stop();
  });
});
