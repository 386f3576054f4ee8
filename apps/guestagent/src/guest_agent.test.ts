import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  databaseProcess,
  databases,
  disposeWorlds,
  makeWorld,
  outcome,
  PAGE,
  PREPARE,
  prepare,
  prepared,
  sayHello,
  statuses,
  type World,
} from '../test/guest_world.ts';

let world: World;
afterEach(disposeWorlds, 60_000);

describe('an agent with a key', () => {
  beforeEach(async () => {
    world = await makeWorld(true);
  });

  test('prepare is accepted at once, reported as building, then healthy; nothing is reported before it', async () => {
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(world.reports).toEqual([]);
    await expect(databases(world)).rejects.toMatchObject({ message: 'The instance has no database yet.' });
    await prepare(world);
    expect(await outcome(world, 'prepare-1')).toEqual({ state: 'started' });
    await vi.waitFor(() => expect(statuses(world)).toContain('healthy'), { timeout: 30_000 });
    expect(statuses(world)[0]).toBe('building');
    expect(await outcome(world, 'prepare-1')).toEqual({ state: 'done' });
    expect(world.reports.at(-1)?.args.payload).toMatchObject({
      volume_total: 3,
      volume_used: expect.any(Number) as number,
    });
    expect(await databases(world)).toEqual(['first']);
    const [users] = await world.client.call(world.instanceId, 'list_users', PAGE, { deadlineMs: 20_000 });
    expect(users).toMatchObject([{ _name: 'ann', _host: '%', _password: null, _databases: [{ _name: 'first' }] }]);
    expect(world.tapped.filter((message) => /prepare|first|ann|healthy/.test(message.body.toString('latin1')))).toEqual(
      [],
    );
  });

  test('a second arrival under one idempotency key takes no effect and gets the first one result', async () => {
    await prepared(world);
    const create = (key: string) =>
      world.client.call(
        world.instanceId,
        'create_database',
        { databases: [{ _name: 'foo' }] },
        { deadlineMs: 20_000, idempotencyKey: key },
      );
    await create('k1');
    await world.client.call(
      world.instanceId,
      'delete_database',
      { database: { _name: 'foo' } },
      { deadlineMs: 20_000, idempotencyKey: 'k2' },
    );
    await create('k1');
    expect(await databases(world), 'what was asked for once is not made twice').toEqual(['first']);
    await create('k3');
    expect(await databases(world)).toEqual(['first', 'foo']);
    const again = world.client.call(
      world.instanceId,
      'delete_database',
      { database: { _name: 'foo' } },
      { deadlineMs: 20_000, idempotencyKey: 'k1' },
    );
    await expect(again).rejects.toThrow('another method');
  });

  test('an error that is the tenant fault keeps its code and stays the answer under its key', async () => {
    await prepared(world);
    const drop = () =>
      world.client.call(
        world.instanceId,
        'delete_database',
        { database: { _name: 'none' } },
        { deadlineMs: 20_000, idempotencyKey: 'gone' },
      );
    await expect(drop()).rejects.toMatchObject({ code: 'DATABASE_NOT_FOUND' });
    await expect(drop()).rejects.toMatchObject({ code: 'DATABASE_NOT_FOUND' });
  });

  test('an older fence is refused, also by the agent that comes after a crash', async () => {
    await prepared(world);
    const restart = (fence: bigint) =>
      world.client.call(world.instanceId, 'restart', {}, { deadlineMs: 20_000, idempotencyKey: `r${fence}`, fence });
    await restart(7n);
    await expect(restart(6n)).rejects.toMatchObject({ code: 'STALE_FENCE' });
    await world.agent.close({ database: 'leave' });
    await world.newAgent();
    await sayHello(world);
    await expect(restart(6n)).rejects.toMatchObject({ code: 'STALE_FENCE' });
  });

  test('a restart makes another server process, and is seen as restarting; repeated under its key it does nothing', async () => {
    await prepared(world);
    const before = databaseProcess(world);
    const restart = () =>
      world.client.call(world.instanceId, 'restart', {}, { deadlineMs: 20_000, idempotencyKey: 'r', fence: 2n });
    await restart();
    const after = databaseProcess(world);
    expect(after).not.toBe(before);
    await restart();
    expect(databaseProcess(world)).toBe(after);
    await expect.poll(() => statuses(world)).toContain('restarting');
    await vi.waitFor(() => expect(statuses(world).at(-1)).toBe('healthy'), { timeout: 40_000 });
  });

  test('a new agent takes over the database that runs, and starts it where it does not', async () => {
    await prepared(world);
    const before = databaseProcess(world);
    await world.agent.close({ database: 'leave' });
    const second = await world.newAgent();
    await sayHello(world);
    expect(await databases(world)).toEqual(['first']);
    expect(databaseProcess(world)).toBe(before);
    await second.close({ database: 'stop' });
    await world.newAgent();
    await sayHello(world);
    await vi.waitFor(async () => expect(await databases(world)).toEqual(['first']), { timeout: 40_000 });
    expect(databaseProcess(world)).not.toBe(before);
  });

  test('pre_upgrade stops the database; on a new root post_upgrade starts it with its data', async () => {
    await prepared(world);
    await world.client.call(
      world.instanceId,
      'pre_upgrade',
      {},
      { deadlineMs: 20_000, idempotencyKey: 'pre', fence: 3n },
    );
    await vi.waitFor(() => expect(statuses(world).at(-1)).toBe('shutdown'), { timeout: 40_000 });
    await world.agent.close({ database: 'stop' });
    for (const entry of readdirSync(join(world.folder, 'root'))) {
      if (entry !== 'etc') rmSync(join(world.folder, 'root', entry), { recursive: true });
    }
    await world.newAgent();
    await sayHello(world);
    await world.client.call(
      world.instanceId,
      'post_upgrade',
      { upgrade_info: {} },
      { deadlineMs: 20_000, idempotencyKey: 'post', fence: 3n },
    );
    expect(await databases(world)).toEqual(['first']);
  });

  test('what was started before a crash is looked at and ended under the same key', async () => {
    await prepared(world);
    const users = [{ _name: 'bob', _password: 'pw', _databases: [{ _name: 'first' }] }];
    const create = (key: string) =>
      world.client.call(world.instanceId, 'create_user', { users }, { deadlineMs: 20_000, idempotencyKey: key });
    const shop = (key: string) =>
      world.client.call(
        world.instanceId,
        'create_database',
        { databases: [{ _name: 'other' }, { _name: 'shop' }] },
        { deadlineMs: 20_000, idempotencyKey: key },
      );
    await create('u1');
    await expect(create('u2')).rejects.toMatchObject({ code: 'USER_EXISTS' });
    await shop('d1');
    await expect(shop('d2')).rejects.toMatchObject({ code: 'DATABASE_EXISTS' });
    const journal = join(world.folder, 'volume/agent/journal');
    for (const name of readdirSync(journal)) {
      const entry = JSON.parse(readFileSync(join(journal, name), 'utf8')) as { method: string; state: string };
      if (entry.state === 'done') writeFileSync(join(journal, name), JSON.stringify({ ...entry, state: 'started' }));
    }
    expect(await outcome(world, 'prepare-1'), 'an interrupted prepare may be asked for again').toEqual({
      state: 'unknown',
    });
    await create('u1');
    await shop('d1');
    await prepared(world);
    expect(await outcome(world, 'u1')).toEqual({ state: 'done' });
  });

  test('a prepare that fails is said in outcome and report, and may be tried again', async () => {
    const bad = { ...PREPARE, databases: [{ _name: 'nul\0' }] };
    await world.client.call(world.instanceId, 'prepare', bad, { deadlineMs: 20_000, idempotencyKey: 'bad', fence: 1n });
    await vi.waitFor(async () => expect((await outcome(world, 'bad')).state).toBe('failed'), { timeout: 30_000 });
    await expect.poll(() => statuses(world).at(-1)).toBe('failed to spawn');
    await prepared(world);
    expect(await databases(world)).toEqual(['first']);
  });

  test('no password of a user is in any of the agent own files', async () => {
    await prepared(world);
    const files = readdirSync(join(world.folder, 'volume/agent'), { recursive: true, withFileTypes: true }).filter(
      (entry) => entry.isFile(),
    );
    expect(files.length).toBeGreaterThan(2);
    for (const file of files) expect(readFileSync(join(file.parentPath, file.name), 'utf8')).not.toContain('pw-ann');
  });

  test('a new agent reports as soon as it was greeted, not a report interval later', async () => {
    await prepared(world);
    await world.agent.close({ database: 'leave' });
    const file = join(world.folder, 'files/trove-guestagent.conf');
    writeFileSync(file, readFileSync(file, 'utf8').replace('report_interval = 1', 'report_interval = 600'));
    const first = world.reports.length;
    await world.newAgent();
    await vi.waitFor(() => expect(world.reports.length).toBeGreaterThan(first), { timeout: 40_000 });
    let before = -1;
    while (before !== world.reports.length) {
      before = world.reports.length;
      await new Promise((resolve) => setTimeout(resolve, 4000));
    }
    await sayHello(world);
    await vi.waitFor(() => expect(world.reports.length).toBeGreaterThan(before), { timeout: 40_000 });
  });

  test('reports go on after the broker was restarted', async () => {
    await prepared(world);
    world.broker.cut();
    const before = world.reports.length;
    await vi.waitFor(() => expect(world.reports.length).toBeGreaterThan(before), { timeout: 40_000 });
  });
});

describe('an agent without a key', () => {
  test('it speaks in clear, prepares by a cast, and reports its status with the time it was sent', async () => {
    world = await makeWorld(false);
    await vi.waitFor(
      async () => expect(await world.client.call(world.instanceId, 'rpc_ping', {}, { deadlineMs: 3000 })).toBe(true),
      { timeout: 40_000 },
    );
    await world.client.call(world.instanceId, 'prepare', PREPARE, { deadlineMs: 20_000 });
    await vi.waitFor(() => expect(statuses(world)).toContain('healthy'), { timeout: 30_000 });
    expect(world.reports.at(-1)?.args).toMatchObject({
      instance_id: world.instanceId,
      sent: expect.any(Number) as number,
    });
    expect(world.reports.at(-1)?.args.payload).toEqual({ service_status: 'healthy' });
    await world.client.call(
      world.instanceId,
      'create_database',
      { databases: [{ _name: 'foo2' }] },
      { deadlineMs: 20_000 },
    );
    await vi.waitFor(async () => expect(await databases(world)).toEqual(['first', 'foo2']), { timeout: 5000 });
    expect(world.tapped.some((message) => message.body.toString('utf8').includes('foo2'))).toBe(true);
    const stats = await world.client.call(world.instanceId, 'get_filesystem_stats', {}, { deadlineMs: 20_000 });
    expect(stats).toMatchObject({ total: 3, used: expect.any(Number) as number });
  });
});
