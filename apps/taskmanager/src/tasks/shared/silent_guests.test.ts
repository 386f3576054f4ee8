import { dbNow, ensureReportRow, type InstanceReportRow, insertInstance, withTransaction } from '@trove/catalog';
import { type TestCatalog, testCatalog } from '@trove/catalog/testing';
import { newUuid, silentLogger, TroveError } from '@trove/common';
import type { Json, StepContext } from '@trove/tasks';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { preUpgrade } from '../upgrade_instance/pre_upgrade.ts';
import { Unheard } from './ask_guest.ts';
import { awaitAgent } from './await_agent.ts';
import { callOnce } from './call_once.ts';
import { Knocks } from './knocks.ts';
import type { TaskTools } from './tools.ts';
import { SOON, UNTIL_REPORTED } from './waits.ts';

const HIGH_MS = 600_000;
const HIGH_US = HIGH_MS * 1000;
let catalog: TestCatalog;
let id: string;
let noted: Json | undefined;
/** What the guest was asked, in order. */
let asked: string[];
let leftVersion: number | null;
let tools: TaskTools;
/** What it answers; without it, nothing. */
let answers: { hello?: boolean; call?: () => Promise<unknown> };

beforeAll(async () => {
  catalog = await testCatalog('sqlite');
});
afterAll(() => catalog.dispose());
beforeEach(async () => {
  [id, noted, asked, leftVersion, answers] = [newUuid(), undefined, [], null, {}];
  const row = { name: 'one', tenant_id: 'p', flavor_id: '1', volume_size: 1, region_id: null, access: null };
  await withTransaction(catalog, (tx) => insertInstance(tx, { id, ...row, datastore_version_id: null }));
  await withTransaction(catalog, (tx) => ensureReportRow(tx, id));
  tools = {
    ...{ catalog, unheard: new Unheard(), knocks: new Knocks() },
    settings: { lowMs: 60_000, highMs: HIGH_MS },
    keys: { leftVersion: async () => leftVersion },
    guests: {
      call: async (_id: string, method: string) => {
        asked.push(method);
        return await (answers.call ?? silence)();
      },
    },
    hello: {
      greet: async (_id: string, { keyVersion = 'active' }: { keyVersion?: number | string }) => {
        asked.push(`hello ${keyVersion}`);
        return answers.hello ?? (await silence());
      },
    },
  } as unknown as TaskTools;
});

const silence = (): Promise<never> =>
  Promise.reject(new TroveError('GUEST_TIMEOUT', 'Timeout trying to connect to the Guest Agent.', { retryable: true }));
const staleBoot = (): Promise<never> =>
  Promise.reject(new TroveError('STALE_BOOT', 'The guest agent has not been heard of yet.', { retryable: true }));

function contextNow(): StepContext {
  return {
    ...{ task: { id, instanceId: id, fence: 1n }, token: 'token', noted, logger: silentLogger },
    signal: new AbortController().signal,
    outputs: { find_server: { server_id: 's', image_id: 'i', rpc_policy: 2 } },
    notUndone: new Set(),
    note: async (value: Json) => void (noted = value),
  } as unknown as StepContext;
}

const restart = () => callOnce(tools, contextNow(), { method: 'restart', args: {}, sealed: true });

test('a guest whose boot is not known and that does not answer is noted as silent, and asked as rarely', async () => {
  answers.call = staleBoot;
  await restart();
  expect(asked).toEqual(['restart', 'hello active']);
  expect(noted).toMatchObject({ first_asked: expect.any(Number) });
  expect(await restart()).toEqual({ wait: UNTIL_REPORTED });
  expect(asked).toHaveLength(2);
});

test('one that answers its hello is asked again soon, and is not silent', async () => {
  answers = { call: staleBoot, hello: true };
  expect(await restart()).toEqual({ wait: SOON });
  expect(noted).toBeUndefined();
});

test('whether it has changed its key is asked no oftener than it is asked itself', async () => {
  leftVersion = 3;
  await restart();
  expect(asked).toEqual(['hello 3', 'restart']);
  expect(await restart()).toEqual({ wait: UNTIL_REPORTED });
  expect(asked).toHaveLength(2);
});

test('so it is while its agent is awaited', async () => {
  leftVersion = 3;
  const step = awaitAgent(tools, () => 'active');
  for (let looks = 0; looks < 3; looks += 1) await step.run(contextNow());
  expect(asked.filter((what) => what === 'hello 3')).toHaveLength(1);
  leftVersion = null;
  noted = undefined;
  await step.run(contextNow());
  expect(noted).toBeUndefined();
});

/** One look of the step, as if the guest had been asked from so long ago until so long ago, microseconds. */
async function preUpgradeAfter(firstAgo: number, lastAgo: number): Promise<unknown> {
  const { now } = await catalog.knex.select({ now: dbNow(catalog.knex) }).first();
  noted = { first_asked: Number(now) - firstAgo, last_asked: Number(now) - lastAgo };
  return await preUpgrade(tools).run(contextNow());
}

test('an upgrade goes on without a guest that no question has reached for as long as it may take', async () => {
  const waits = { wait: expect.anything() };
  const MINUTE_US = 60_000_000;
  expect(await preUpgradeAfter(HIGH_US, 20_000_000)).toEqual(waits);
  expect(await preUpgradeAfter(HIGH_US + MINUTE_US, 20_000_000)).toMatchObject({ done: { unanswered: true } });
  // It was heard meanwhile.
  await catalog
    .knex<InstanceReportRow>('instance_reports')
    .where({ instance_id: id })
    .update({ received_at: catalog.knex.raw('? - ?', [dbNow(catalog.knex), 2 * MINUTE_US]) });
  expect(await preUpgradeAfter(HIGH_US + MINUTE_US, 20_000_000)).toEqual(waits);
});

test('an upgrade that goes back waits for its silent guest, but not where the instance is to be deleted', async () => {
  const { undo } = preUpgrade(tools);
  const context = contextNow();
  await expect(undo?.(context)).rejects.toMatchObject({ code: 'GUEST_TIMEOUT', retryable: true });
  asked = [];
  await undo?.({ ...context, task: { ...context.task, cancelRequested: true } });
  expect(asked).toEqual([]);
});

test('it does not where nobody has asked for so long', async () => {
  answers.call = silence;
  const waits = { wait: expect.anything() };
  expect(await preUpgradeAfter(2 * HIGH_US, 2 * HIGH_US)).toEqual(waits);
  expect(asked).toEqual(['pre_upgrade']);
  expect(await preUpgrade(tools).run(contextNow())).toEqual(waits);
});
