import { approveFindings } from '@trove/catalog';
import { newUuid, Secret, TroveError } from '@trove/common';
import { guestAccount, guestTopology } from '@trove/crypto-rpc';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ReconciledHouse } from '../../test/reconciled_house.ts';
import { createBrokerAccounts } from '../broker/broker_accounts.ts';

const PASSWORD = new Secret('password-of-this-test');
let here: ReconciledHouse;

beforeEach(async () => {
  here = await ReconciledHouse.open('sqlite');
});
afterEach(() => here.dispose());

/** An account with its queue; `row`: what the catalog says of it. */
async function account(instanceId: string, row?: 'gone' | 'live'): Promise<string> {
  await here.house.accounts.make(instanceId, PASSWORD);
  const own = {
    token: `account-${instanceId}`,
    kind: 'broker_account' as const,
    external_id: guestAccount(instanceId),
  };
  if (row !== undefined) await here.resource(instanceId, { ...own, state: row });
  return instanceId;
}

const isThere = async (id: string): Promise<boolean[]> => [
  (await here.house.admin.readAccount(guestAccount(id))) !== undefined,
  await here.house.admin.hasQueue(guestTopology(id)),
];

it('an account of this deployment that the catalog has given up is removed with its queue, and no other', async () => {
  const [left, built] = [await account(newUuid(), 'live'), await here.built()];
  const [unmarked, others, both] = [newUuid(), newUuid(), newUuid()];
  const elsewhere = createBrokerAccounts(here.house.admin, async () => 'another');
  for (const id of [others, both]) await elsewhere.make(id, PASSWORD);
  await here.house.accounts.mark(both);
  await here.house.admin.putUser(guestAccount(unmarked), PASSWORD);
  await here.house.admin.putQueue(guestTopology(unmarked));
  await here.run();
  for (const id of [built, unmarked, others, both]) expect(await isThere(id), id).toEqual([true, true]);
  expect(await isThere(left)).toEqual([false, false]);
  expect(await here.stateOf(`account-${left}`)).toBe('gone');
  await here.run();
  expect(await here.found()).toEqual([]);
});

it('beside an instance that has none of its own any more the account goes, and its guest keeps the queue', async () => {
  const id = await here.built();
  await here.catalog.knex('resources').where({ instance_id: id, kind: 'broker_account' }).update({ state: 'gone' });
  await here.settled(id);
  expect(await isThere(id)).toEqual([false, true]);
  await here.run();
  expect(await here.found()).toEqual([]);
});

it('one of which the catalog has never heard holds all removals, until an operator has looked', async () => {
  const [unheard, left] = [await account(newUuid()), await here.volume(await here.deletedInstance(), 'gone')];
  await here.run();
  expect([await here.found(), await isThere(unheard)]).toEqual([
    ['unheard', 'unowned'],
    [true, true],
  ]);
  const { findings } = await here.state();
  expect(findings.map(({ subject }) => subject)).toContain(`account:${guestAccount(unheard)}`);
  await approveFindings(here.catalog, findings);
  await here.run();
  expect([await isThere(unheard), here.volumes.has(left)]).toEqual([[false, false], false]);
});

it('waits for the grace time and, in a young catalog, for an operator', async () => {
  const left = await account(newUuid(), 'gone');
  const patient = { graceMs: 1_800_000 };
  await here.run(patient);
  await here.catalog.knex('reconcile_findings').decrement('since', 3_600_000_000);
  await here.run(patient);
  expect(await isThere(left)).toEqual([true, true]);
  await here.catalog.knex('deployment').decrement('created', 3_600_000_000);
  await here.run(patient);
  expect(await isThere(left)).toEqual([false, false]);
});

it('while the broker does not say what there is, nothing outside is acted on, and the catalog is put right', async () => {
  const left = await here.volume(await here.deletedInstance(), 'gone');
  here.house.admin.readMarks = async () => {
    throw new TroveError('BUS_UNAVAILABLE', 'away', { retryable: true });
  };
  expect(await here.warnings()).toEqual(['what is outside cannot be listed: only the catalog is put right']);
  expect([here.volumes.has(left), (await here.state()).ranAt]).toEqual([true, null]);
});

it('an account whose queue could not be removed yet stays, so that the next try finds both', async () => {
  const left = await account(newUuid(), 'gone');
  const { deleteQueue } = here.house.admin;
  here.house.admin.deleteQueue = async () => {
    throw new TroveError('BUS_UNAVAILABLE', 'away', { retryable: true });
  };
  expect(await here.warnings()).toEqual(['a difference could not be reconciled']);
  expect(await isThere(left)).toEqual([true, true]);
  here.house.admin.deleteQueue = deleteQueue;
  await here.run();
  expect(await isThere(left)).toEqual([false, false]);
});
