import {
  checkInvariants,
  type InstanceKeyRow,
  type InstanceRow,
  type KeyOwedRow,
  readInstanceKey,
  type TaskRow,
} from '@trove/catalog';
import { brokerPassword, guestAccount } from '@trove/crypto-rpc';
import { expect } from 'vitest';
import { GUEST_AGENT_FILE, GUEST_INFO_FILE } from '../src/tasks/shared/guest_files.ts';
import { type House, instanceOf } from './house.ts';
import { type Filed, type Scenario, settled } from './scenario.ts';

/** The task has ended as it should, and nothing is by half; `again` is said where that is not so. */
export async function checkEnd(house: House, scenario: Scenario, { id, taskId }: Filed, again: string): Promise<void> {
  const tasks = await settled(house, id).catch((error: Error) => {
    throw new Error(`${error.message}; ${again}`);
  });
  const task = tasks.find((row) => row.id === taskId);
  const { ends, leaves } = scenario;
  expect(task?.state, `${task?.error}; ${again}`).toBe(ends);
  const row = await instanceOf(house, id);
  const { world, broker } = house;
  const own = [...world.servers.values()].filter((server) => server.instanceId === id);
  expect(row, again).toMatchObject({ active_task_id: null, deleted: leaves === 'deleted' ? 1 : 0 });
  expect(world.snapshots.size, again).toBe(scenario.owes === 'snapshot' ? 1 : 0);
  const live = await house.catalog
    .knex<InstanceKeyRow>('instance_keys')
    .where({ instance_id: id })
    .whereNot({ state: 'retired' });
  if (leaves === 'serving') {
    expect(row, again).toMatchObject({ task_id: 1, server_status: 'ACTIVE' });
    const [server, ...extras] = own;
    expect([server?.id, server?.running, server?.volumeId, extras], again).toEqual([
      ...[row.compute_instance_id, true, row.volume_id, []],
    ]);
    const volume = world.volumes.get(row.volume_id ?? '');
    expect([volume?.prepared, volume?.size], again).toEqual([true, row.volume_size]);
    expect(server?.flavorId, again).toBe(row.flavor_id);
    expect(new Set(volume?.effects).size, again).toBe(volume?.effects.length);
    const owed = scenario.owes === 'password';
    await checkKey(house, row, { server, live, owed, forgotten: scenario.forgotten === true }, again);
  } else {
    expect([own, world.volumes.size, live], again).toEqual([[], 0, []]);
    expect([broker.accounts.get(guestAccount(id)) !== undefined, broker.hasQueue(`guest.${id}`)], again).toEqual([
      false,
      false,
    ]);
  }
  await checkBooks(house, again);
  await checkSecrets(house, tasks, again);
  if (scenario.owes !== 'snapshot') expect(await brokenInvariants(house, id), again).toEqual([]);
}

interface Sides {
  readonly server: { readonly files: Readonly<Record<string, string>> } | undefined;
  readonly live: readonly InstanceKeyRow[];
  /** The broker still has the password of before, which the guest has kept. */
  readonly owed: boolean;
  readonly forgotten: boolean;
}

/** Both sides hold one key, or none. */
async function checkKey(
  house: House,
  row: InstanceRow,
  { server, live, owed, forgotten }: Sides,
  again: string,
): Promise<void> {
  const info = server?.files[GUEST_INFO_FILE];
  if (row.rpc_policy !== 2) {
    expect([info?.includes('encr_key'), live], again).toEqual([forgotten, []]);
    return;
  }
  const key = await readInstanceKey(house.catalog.knex, house.rings, row.id, 'active');
  const text = key?.instanceKey.reveal() ?? '';
  expect(info, again).toContain(`instance_rpc_encr_key=${text}\n`);
  expect(live.filter(({ state }) => state === 'active').length, again).toBe(1);
  const password = brokerPassword(text).reveal();
  expect(server?.files[GUEST_AGENT_FILE], again).toContain(password);
  const present = house.broker.accounts.get(guestAccount(row.id))?.secret?.reveal();
  if (!owed) {
    expect(present, again).toBe(password);
    return;
  }
  expect(server?.files[GUEST_AGENT_FILE], again).toContain(present);
  const rows = await house.catalog.knex<KeyOwedRow>('keys_owed').where({ instance_id: row.id }).select('what');
  expect(rows, 'what is owed is written down, for a round to settle').toEqual([{ what: 'password' }]);
}

async function checkBooks({ catalog, project }: House, again: string): Promise<void> {
  const books = await catalog.knex('quota_usages').where({ tenant_id: project }).select('resource', 'reserved');
  expect(
    books.filter(({ reserved }) => Number(reserved) !== 0),
    again,
  ).toEqual([]);
}

/** What rests sealed begins with its form's name. */
async function checkSecrets({ catalog }: House, tasks: readonly TaskRow[], again: string): Promise<void> {
  const ids = tasks.map(({ id }) => id);
  const outputs: (string | null)[] = await catalog.knex('task_steps').whereIn('task_id', ids).pluck('output');
  const sealed = [...tasks.map(({ params }) => params), ...outputs].filter((text) => text?.includes('"v2.'));
  expect(sealed, `a task that is over holds secrets; ${again}`).toEqual([]);
}

async function brokenInvariants({ catalog, world, rings }: House, id: string): Promise<string[]> {
  const { deployment_id } = await catalog.knex('deployment').first('deployment_id');
  const { results } = await checkInvariants({
    catalog,
    things: { read: () => world.listOwned(deployment_id) },
    flavors: { read: () => world.flavors() },
    broker: { notChecked: 'the bus is in memory' },
    rings,
    logs: { files: [], secrets: [] },
    effects: { notChecked: 'counted on the volume' },
    settleMs: 0,
  });
  return results.flatMap(({ invariant, findings }) =>
    findings.filter(({ instanceId }) => instanceId === id).map(({ what }) => `${invariant}: ${what}`),
  );
}
