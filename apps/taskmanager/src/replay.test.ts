import { type RpcInboxRow, recordHello, withTransaction } from '@trove/catalog';
import type { TestCatalog } from '@trove/catalog/testing';
import type { TappedMessage } from '@trove/crypto-rpc';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { ended, fileCreate, type House, instanceOf, openHouse, openTestCatalog } from '../test/house.ts';

let catalog: TestCatalog;
let house: House;
let tapped: TappedMessage[];

beforeAll(async () => {
  catalog = await openTestCatalog('mysql');
});
afterAll(() => catalog.dispose());
beforeEach(() => {
  house = openHouse(catalog);
  tapped = [];
  house.broker.tap((message) => void tapped.push(message));
});
afterEach(() => house.dispose());

const OPTIONS = { deadlineMs: 5000 };
const databases = [{ _name: 'once' }];

/** Whoever owns the broker: everything that went through it, once more and in its order. */
async function replayAll(recorded: readonly TappedMessage[]): Promise<void> {
  for (const { exchange, routingKey, body, contentType } of recorded.filter(({ exchange: name }) => name !== '')) {
    const again = { exchange, routingKey, body: Buffer.from(body), contentType };
    await house.bus.publish({ ...again, persistent: false, mandatory: false }).catch(() => undefined);
  }
  await new Promise((resolve) => setTimeout(resolve, 300));
}

async function createdInstance(): Promise<string> {
  const { id, taskId } = await fileCreate(house);
  expect((await ended(house, taskId)).state).toBe('done');
  return id;
}

test('everything on the bus delivered again, to the same, to restarted and to other processes, takes effect no second time', async () => {
  const first = await house.taskmanager();
  const id = await createdInstance();
  await house.api.call('create_database', { instance_id: id, databases }, OPTIONS);
  const [calls, state] = [[...house.world.calls], JSON.stringify([...house.world.volumes.values()])];
  const recorded = [...tapped];
  await replayAll(recorded);
  await first.close();
  await house.taskmanager();
  await replayAll(recorded);
  const server = (await instanceOf(house, id)).compute_instance_id ?? '';
  const { signal } = new AbortController();
  await house.world.stopServer(server, signal);
  await house.world.startServer(server, signal);
  await replayAll(recorded);
  expect(house.world.calls).toEqual(calls);
  expect(JSON.stringify([...house.world.volumes.values()])).toBe(state);
  await house.api.call('create_database', { instance_id: id, databases: [{ _name: 'another' }] }, OPTIONS);
  expect(house.world.calls).toHaveLength(calls.length + 1);
});

test('a call that was passed on leaves its id behind until two minutes after it expired', async () => {
  await house.taskmanager();
  const id = await createdInstance();
  await catalog.knex('rpc_inbox').delete();
  await house.api.call('create_database', { instance_id: id, databases }, OPTIONS);
  await house.api.call(
    'list_databases',
    { instance_id: id, limit: null, marker: null, include_marker: false },
    OPTIONS,
  );
  const rows = await catalog.knex<RpcInboxRow>('rpc_inbox').select();
  expect(rows.map((row) => row.sender)).toEqual(['api']);
  const keptMs = Number(rows[0]?.expires) / 1000 - Date.now();
  expect([keptMs > 115_000, keptMs < 130_000]).toEqual([true, true]);
});

test('two guests under one key: quarantine, and the api is told why nothing is asked', async () => {
  await house.taskmanager();
  const id = await createdInstance();
  const stored = async (): Promise<string> =>
    (await catalog.knex('instance_reports').where({ instance_id: id }).first('boot_nonce')).boot_nonce;
  const own = await stored();
  const told = { instanceId: id, sequence: 0n, keyVersion: 2 };
  const clone = { ...told, expectedNonce: own, bootNonce: 'cc'.repeat(16) };
  await withTransaction(catalog, (tx) => recordHello(tx, clone));
  // The taskmanager's cache of the guest may be five seconds old.
  await new Promise((resolve) => setTimeout(resolve, 5100));
  const create = (): Promise<unknown> => house.api.call('create_database', { instance_id: id, databases }, OPTIONS);
  await expect(create()).rejects.toThrow('in quarantine');
  await expect(create()).rejects.toThrow('in quarantine');
  expect(house.world.calls.some((call) => call.includes('create_database'))).toBe(false);
});
