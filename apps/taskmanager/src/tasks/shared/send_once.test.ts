import {
  ensureReportRow,
  type InstanceReportRow,
  insertInstance,
  type ServiceStatusRow,
  withTransaction,
} from '@trove/catalog';
import { type TestCatalog, testCatalog } from '@trove/catalog/testing';
import { newUuid, silentLogger, systemClock, TroveError } from '@trove/common';
import type { Json, StepContext } from '@trove/tasks';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { OnceCall, TaskMethod } from './call_once.ts';
import { sendOnce } from './send_once.ts';
import type { TaskTools } from './tools.ts';
import { UNTIL_REPORTED } from './waits.ts';

const HIGH_MS = 180_000;
const id = newUuid();
let catalog: TestCatalog;
let now: number;
/** What happened, in order: `note …` and `call …`. */
let happened: string[];
let noted: Json | undefined;

beforeAll(async () => {
  catalog = await testCatalog('sqlite');
  const row = { name: 'one', tenant_id: 'p', flavor_id: '1', volume_size: 1, region_id: null, access: null };
  await withTransaction(catalog, (tx) => insertInstance(tx, { id, ...row, datastore_version_id: null }));
  await withTransaction(catalog, (tx) => ensureReportRow(tx, id));
});
afterAll(() => catalog.dispose());
beforeEach(async () => {
  [now, happened, noted] = [1_000_000, [], undefined];
  await say('restarting');
});

/** The catalog has this status, and a report that came now. */
async function say(status_description: string): Promise<void> {
  await catalog
    .knex<InstanceReportRow>('instance_reports')
    .where({ instance_id: id })
    .update({ received_at: now * 1000 });
  await catalog.knex<ServiceStatusRow>('service_statuses').where({ instance_id: id }).update({ status_description });
}

const restart: OnceCall<'restart'> = { method: 'restart', args: {}, sealed: false };
const timeout = (cause?: unknown): TroveError =>
  new TroveError('GUEST_TIMEOUT', 'Timeout trying to connect to the Guest Agent.', { retryable: true, cause });

function send<M extends TaskMethod>(call: OnceCall<M>, answer: () => Promise<unknown>): ReturnType<typeof sendOnce<M>> {
  const tools = {
    catalog,
    clock: { ...systemClock, now: () => now },
    settings: { highMs: HIGH_MS, reportIntervalMs: 30_000 },
    guests: {
      call: async (_id: string, method: string) => {
        happened.push(`call ${method}`);
        return await answer();
      },
    },
  } as unknown as TaskTools;
  const context = {
    task: { instanceId: id, fence: 1n },
    token: 'token',
    noted,
    signal: new AbortController().signal,
    logger: silentLogger,
    async note(value: Json) {
      noted = value ?? undefined;
      happened.push(`note ${JSON.stringify(value)}`);
    },
  } as unknown as StepContext;
  return sendOnce(tools, context, call);
}

const never = async (): Promise<never> => {
  throw new Error('nobody may ask again');
};
const NOTE = { asked: 'restart', at: 1_000_000 };

test('that a guest is asked stands in the journal before it is asked', async () => {
  expect(await send(restart, async () => null)).toEqual({ answered: null });
  expect(happened).toEqual([`note ${JSON.stringify(NOTE)}`, 'call restart']);
});

test.each([
  ['no bus', new TroveError('BUS_UNAVAILABLE', 'No bus.', { retryable: true })],
  ['no queue', timeout(new TroveError('RPC_REFUSED', 'returned'))],
])('what was not sent (%s) is no longer noted, and is sent by the next try', async (_, error) => {
  await expect(send(restart, () => Promise.reject(error))).rejects.toBe(error);
  expect(noted).toBeUndefined();
  await send(restart, async () => null);
  expect(happened.filter((what) => what === 'call restart')).toHaveLength(2);
});

test('an error that the guest answers is the outcome', async () => {
  const refusal = new TroveError('GUEST_ERROR', 'cannot start');
  await expect(send(restart, () => Promise.reject(refusal))).rejects.toBe(refusal);
});

test('who takes over looks for the effect for as long as one waits for an answer, asks nothing, and then says that it is not known', async () => {
  noted = NOTE;
  now += HIGH_MS;
  expect(await send(restart, never)).toEqual({ wait: UNTIL_REPORTED });
  await say('healthy');
  expect(await send(restart, never)).toEqual({ answered: null });
  await say('shutdown');
  now += 30_000;
  await expect(send(restart, never)).rejects.toMatchObject({
    code: 'GUEST_TIMEOUT',
    retryable: false,
    message: 'The guest agent did not answer "restart"; its outcome is unknown.',
  });
  expect(happened).toEqual([]);
});

test('no answer and the effect seen is an answer; an effect that cannot be seen is not known at once', async () => {
  const answeredLate = (): Promise<never> => {
    now += HIGH_MS;
    return say('running').then(() => Promise.reject(timeout()));
  };
  expect(await send(restart, answeredLate)).toEqual({ answered: null });
  noted = { asked: 'pre_upgrade', at: now };
  const preUpgrade: OnceCall<'pre_upgrade'> = { method: 'pre_upgrade', args: {}, sealed: false };
  await expect(send(preUpgrade, never)).rejects.toMatchObject({ message: expect.stringContaining('is unknown') });
});

test('what the guest had said before it was asked, and what may have been on its way, is no effect', async () => {
  await say('running');
  noted = NOTE;
  now += 60_000;
  expect(await send(restart, never)).toEqual({ wait: UNTIL_REPORTED });
  now = NOTE.at + 5000;
  await say('running');
  expect(await send(restart, never)).toEqual({ wait: UNTIL_REPORTED });
  now = NOTE.at + 5001;
  await say('running');
  expect(await send(restart, never)).toEqual({ answered: null });
});

test('a guest that lives and is still new long after it was asked to prepare fails the build early, and is not asked again', async () => {
  const prepare = { method: 'prepare', args: {}, sealed: false } as unknown as OnceCall<'prepare'>;
  noted = { asked: 'prepare', at: now };
  await say('new');
  // It has said nothing since: whether it lives is not known.
  now += 600_000;
  expect(await send(prepare, never)).toEqual({ answered: null });
  now = NOTE.at + 89_000;
  await say('new');
  expect(await send(prepare, never)).toEqual({ wait: UNTIL_REPORTED });
  now = NOTE.at + 90_000;
  await say('new');
  await expect(send(prepare, never)).rejects.toMatchObject({
    code: 'GUEST_TIMEOUT',
    retryable: false,
    message: expect.stringContaining('has not begun to make its database'),
  });
  await say('building');
  expect(await send(prepare, never)).toEqual({ answered: null });
  expect(happened).toEqual([]);
});
