import { newUuid, systemClock } from '@trove/common';
import { beforeEach, expect, test } from 'vitest';
import { PeerTable } from '../../test/fixtures.ts';
import { guestAccount } from './guest_account.ts';
import { type ClaimedSender, ReportSenders } from './report_senders.ts';

let table: PeerTable;
let senders: ReportSenders;
let monotonic: number;
beforeEach(() => {
  table = new PeerTable();
  monotonic = 0;
  senders = new ReportSenders(table, { ...systemClock, monotonic: () => monotonic });
});

/** How many times the catalog is read anew while these are looked for. */
async function readAnew(claims: readonly ClaimedSender[]): Promise<number> {
  const before = table.forgotten;
  for (const claim of claims) expect(await senders.find(claim)).toBeDefined();
  return table.forgotten - before;
}

const madeUp = (instanceId: string, userId: string | undefined, count: number): ClaimedSender[] =>
  Array.from({ length: count }, (_, index) => ({ instanceId, userId, keyVersion: 100 + index }));

test('versions that a guest makes up have it read anew once a second, and those that others make up for it never', async () => {
  const instanceId = newUuid();
  table.add(2, { instanceId, account: guestAccount(instanceId) });
  expect(await readAnew(madeUp(instanceId, undefined, 50))).toBe(0);
  expect(await readAnew(madeUp(instanceId, 'trove', 50))).toBe(0);
  expect(await readAnew(madeUp(instanceId, guestAccount(instanceId), 50))).toBe(1);
  monotonic += 1000;
  expect(await readAnew(madeUp(instanceId, guestAccount(instanceId), 50))).toBe(1);
});

test('of guests that share an account so many are read anew for versions that are made up, and heard all the same', async () => {
  const ids = Array.from({ length: 2000 }, () => table.add(2).instanceId);
  const claims = ids.flatMap((id) => madeUp(id, undefined, 1));
  expect(await readAnew(ids.map((instanceId) => ({ instanceId, userId: undefined, keyVersion: 1 })))).toBe(0);
  expect(await readAnew(claims)).toBe(1024);
  monotonic += 1000;
  expect(await readAnew(claims)).toBe(256);
});

test('a version that has just been agreed on is found, and costs nothing', async () => {
  const { guestPeer } = table;
  const ids = Array.from({ length: 2000 }, () => table.add(2).instanceId);
  const fresh = new Set<string>();
  table.guestPeer = async (id) => {
    const peer = await guestPeer.call(table, id);
    const [key] = peer?.keys ?? [];
    if (!fresh.has(id) || peer === undefined || key === undefined) return peer;
    return { ...peer, keys: [key, { ...key, version: 2, state: 'pending' }] };
  };
  for (const id of ids) {
    expect(await readAnew([{ instanceId: id, userId: undefined, keyVersion: 1 }])).toBe(0);
    table.forget = () => void fresh.add(id);
    const peer = await senders.find({ instanceId: id, userId: undefined, keyVersion: 2 });
    expect(peer?.keys.map(({ version }) => version)).toEqual([1, 2]);
  }
});
