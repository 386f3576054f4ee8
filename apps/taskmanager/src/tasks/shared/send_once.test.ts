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
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { OnceCall, TaskMethod } from './call_once.ts';
import { sendOnce } from './send_once.ts';
import type { TaskTools } from './tools.ts';
import { UNTIL_REPORTED } from './waits.ts';

const HIGH_MS = 180_000;
const id = newUuid();
let catalog: TestCatalog;
let now: number;
/** What happened, in order: `note …`, `call …` and `amend …`. */
let happened: string[];
let noted: Json | undefined;
/** How long the call has lasted when it ends, in milliseconds. */
let lasted: number;

beforeAll(async () => {
  catalog = await testCatalog('sqlite');
  const row = { name: 'one', tenant_id: 'p', flavor_id: '1', volume_size: 1, region_id: null, access: null };
  await withTransaction(catalog, (tx) => insertInstance(tx, { id, ...row, datastore_version_id: null }));
  await withTransaction(catalog, (tx) => ensureReportRow(tx, id));
});
afterAll(() => catalog.dispose());
beforeEach(async () => {
  [now, happened, noted, lasted] = [1_000_000, [], undefined, 0];
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
    clock: { ...systemClock, now: () => now, monotonic: () => (happened.length < 2 ? 0 : lasted) },
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
    async amend(before: Json, value: Json) {
      if (JSON.stringify(before) !== JSON.stringify(noted)) return false;
      noted = value;
      happened.push(`amend ${JSON.stringify(value)}`);
      return true;
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

test('an error that the guest answers is the outcome; one after which it may be asked again lets it be', async () => {
  const refusal = new TroveError('GUEST_ERROR', 'cannot start');
  await expect(send(restart, () => Promise.reject(refusal))).rejects.toBe(refusal);
  expect(noted).toEqual(NOTE);
  noted = undefined;
  const passing = new TroveError('GUEST_ERROR', 'does not serve yet', { retryable: true });
  await expect(send(restart, () => Promise.reject(passing))).rejects.toBe(passing);
  expect(noted).toBeUndefined();
});

describe('an answer that is not there at once is not waited for', () => {
  const preUpgrade: OnceCall<'pre_upgrade'> = { method: 'pre_upgrade', args: {}, sealed: false };
  const asked = { asked: 'pre_upgrade', at: 1_000_000 };
  const late = async (outcome: Promise<unknown> | (() => Promise<unknown>)): Promise<void> => {
    const coming = Promise.withResolvers<unknown>();
    expect(await send(preUpgrade, () => coming.promise)).toEqual({ wait: UNTIL_REPORTED });
    coming.resolve(typeof outcome === 'function' ? outcome() : outcome);
    await new Promise((resolve) => setTimeout(resolve, 0));
  };

  test('it is written into the journal when it comes, and whoever has the task then goes on with it', async () => {
    await late(Promise.resolve({ saved: 'here' }));
    expect(noted).toEqual({ ...asked, answered: { saved: 'here' } });
    expect(await send(preUpgrade, never)).toEqual({ answered: { saved: 'here' } });
  });

  test('so is a refusal', async () => {
    await late(() => Promise.reject(new TroveError('GUEST_ERROR', 'it does not stop')));
    const refused = { code: 'GUEST_ERROR', message: 'it does not stop', retryable: false };
    await expect(send(preUpgrade, never)).rejects.toMatchObject(refused);
  });

  test('and that nothing was sent after all: it is sent by the next but one try, which comes as after any error', async () => {
    await late(() => Promise.reject(new TroveError('BUS_UNAVAILABLE', 'No bus.', { retryable: true })));
    await expect(send(preUpgrade, never)).rejects.toMatchObject({ code: 'BUS_UNAVAILABLE', retryable: true });
    expect(noted).toBeUndefined();
  });

  test('a guest that lets all of its time pass is not asked again', async () => {
    lasted = HIGH_MS;
    await late(() => Promise.reject(timeout()));
    expect(noted).toEqual({ ...asked, silent: true });
    await expect(send(preUpgrade, never)).rejects.toMatchObject({
      code: 'GUEST_TIMEOUT',
      retryable: false,
      message: 'The guest agent did not answer "pre_upgrade"; its outcome is unknown.',
    });
  });

  test('one whose asker gave up earlier, or died, is asked again, when the first question must be over', async () => {
    lasted = HIGH_MS - 5000;
    await late(() => Promise.reject(timeout()));
    expect(noted).toEqual(asked);
    now += HIGH_MS + 29_999;
    expect(await send(preUpgrade, never)).toEqual({ wait: UNTIL_REPORTED });
    now += 1;
    expect(await send(preUpgrade, async () => ({ saved: 'again' }))).toEqual({ answered: { saved: 'again' } });
    expect(happened.filter((what) => what.startsWith('call'))).toHaveLength(2);
  });
});

test('who takes a restart over looks for its effect, and asks again where there is none until the first must be over', async () => {
  noted = NOTE;
  now += HIGH_MS;
  expect(await send(restart, never)).toEqual({ wait: UNTIL_REPORTED });
  await say('healthy');
  expect(await send(restart, never)).toEqual({ answered: null });
  await say('shutdown');
  now += 30_000;
  expect(await send(restart, async () => null)).toEqual({ answered: null });
  expect(happened).toEqual([`note ${JSON.stringify({ ...NOTE, at: now })}`, 'call restart']);
});

test('a silent guest that serves again has restarted; one that does not has not, and is given a report more', async () => {
  noted = { ...NOTE, silent: true };
  now += HIGH_MS;
  await say('shutdown');
  expect(await send(restart, never)).toEqual({ wait: UNTIL_REPORTED });
  now += 35_000;
  await expect(send(restart, never)).rejects.toMatchObject({ code: 'GUEST_TIMEOUT', retryable: false });
  await say('running');
  expect(await send(restart, never)).toEqual({ answered: null });
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

test('a prepare that may have been sent is not sent again here: its effect is waited for', async () => {
  const prepare = { method: 'prepare', args: {}, sealed: false } as unknown as OnceCall<'prepare'>;
  noted = { asked: 'prepare', at: now };
  expect(await send(prepare, never)).toEqual({ answered: null });
});
