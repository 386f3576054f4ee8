import { ensureReportRow, type InstanceReportRow, insertInstance, withTransaction } from '@trove/catalog';
import { type TestCatalog, testCatalog } from '@trove/catalog/testing';
import { newUuid, silentLogger, systemClock } from '@trove/common';
import type { Json, StepContext } from '@trove/tasks';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Knocks } from '../shared/knocks.ts';
import type { TaskTools } from '../shared/tools.ts';
import { seeToItsBeginning } from './see_to_its_beginning.ts';

const [id, another] = [newUuid(), newUuid()];
const SINCE = 1_000_000;
let catalog: TestCatalog;
let tools: TaskTools;
let now: number;
let noted: Json | undefined;
let asked: string[];
/** It takes what is in its queue. */
let lives: boolean;

beforeAll(async () => {
  catalog = await testCatalog('sqlite');
  for (const one of [id, another]) {
    const row = { name: 'one', tenant_id: 'p', flavor_id: '1', volume_size: 1, region_id: null, access: null };
    await withTransaction(catalog, (tx) => insertInstance(tx, { id: one, ...row, datastore_version_id: null }));
    await withTransaction(catalog, (tx) => ensureReportRow(tx, one));
  }
});
afterAll(() => catalog.dispose());
beforeEach(async () => {
  [now, noted, asked, lives] = [SINCE, undefined, [], true];
  await catalog.knex<InstanceReportRow>('instance_reports').update({ received_at: null });
  tools = {
    ...{ catalog, knocks: new Knocks(), clock: { ...systemClock, now: () => now } },
    ...{ settings: { lowMs: 15_000, highMs: 180_000, reportIntervalMs: 30_000 }, controlRing: [] },
    guests: {
      call: async (_id: string, method: string) => {
        asked.push(method);
        return lives ? true : await new Promise(() => {});
      },
    },
  } as unknown as TaskTools;
});

async function look(afterMs: number): Promise<void> {
  now = SINCE + afterMs;
  const params = { flavor: { id: '1', name: 'one', ram: 1, vcpus: 1, disk: 1, ephemeral: 0 }, datastore_version: '1' };
  await seeToItsBeginning(tools, {
    ...{ task: { id, instanceId: id, params }, token: 'token', noted, logger: silentLogger },
    signal: new AbortController().signal,
    note: async (value: Json) => void (noted = value),
  } as unknown as StepContext);
}

/** A conductor is at work: it has written somebody's report just now. */
async function reportsComeIn(): Promise<void> {
  await catalog
    .knex<InstanceReportRow>('instance_reports')
    .where({ instance_id: another })
    .update({ received_at: now * 1000 });
}

test('a guest that is new for an interval of reports is pinged; one that answers and is new long after that is asked again, twice at most', async () => {
  await look(0);
  await look(29_999);
  expect(asked).toEqual([]);
  for (let times = 1; times <= 2; times += 1) {
    const since = (times - 1) * 120_000;
    asked = [];
    await look(since + 30_000);
    expect(asked).toEqual(['rpc_ping']);
    await look(since + 119_999);
    await reportsComeIn();
    expect(asked).toEqual(['rpc_ping']);
    await look(since + 120_000);
    expect(asked).toEqual(['rpc_ping', 'prepare']);
  }
  await look(270_000);
  now = SINCE + 360_000;
  await reportsComeIn();
  await expect(look(360_000)).rejects.toMatchObject({ code: 'GUEST_TIMEOUT', retryable: false });
});

test('one that does not answer may have the request in its queue still, and is waited for', async () => {
  lives = false;
  await look(0);
  await look(30_000);
  now += 600_000;
  await reportsComeIn();
  await look(600_000);
  expect(asked).toEqual(['rpc_ping']);
});

test('where no report of anybody comes in, nothing is known of this one', async () => {
  await look(0);
  await look(30_000);
  await look(600_000);
  expect(asked).toEqual(['rpc_ping']);
});
