import { accountState, createKeyStore, type InstanceKeyRow, readInstanceKey, wantHello } from '@trove/catalog';
import type { TestCatalog } from '@trove/catalog/testing';
import { accountOfUrl, Secret, silentLogger, TroveError } from '@trove/common';
import { brokerPassword, createGuestClient, type GuestClient, keyCheckValue, newKeyPair } from '@trove/crypto-rpc';
import type { TaskEngineOptions } from '@trove/tasks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  ended,
  faultOf,
  file,
  fileCreate,
  type House,
  instanceOf,
  openHouse,
  openTestCatalog,
  UPGRADE,
} from '../../../test/house.ts';
import { GUEST_AGENT_FILE, GUEST_INFO_FILE, transportUrlIn } from '../shared/guest_files.ts';

type Faults = NonNullable<TaskEngineOptions['faults']>;

const OPTIONS = { deadlineMs: 5000 };
const PAGE = { limit: null, marker: null, include_marker: false };

/** On SQLite the sweeps of workers that die come this way. */
describe('changing the key of an instance, on mysql', () => {
  let house: House;
  let catalog: TestCatalog;
  let id: string;
  let hook: Faults | undefined;
  beforeAll(async () => {
    catalog = await openTestCatalog('mysql');
  });
  beforeEach(() => {
    house = openHouse(catalog);
    hook = undefined;
  });
  afterEach(() => house.dispose());
  afterAll(() => catalog.dispose());

  async function created(own = true): Promise<void> {
    await house.taskmanager({ own, faults: (point) => hook?.(point) });
    const made = await fileCreate(house);
    expect((await ended(house, made.taskId)).state).toBe('done');
    ({ id } = made);
  }

  const server = () => {
    const [one] = house.world.servers.values();
    if (one === undefined) throw new Error('no server');
    return one;
  };
  const fileKey = (): string => /^instance_rpc_encr_key=(.*)$/m.exec(server().files[GUEST_INFO_FILE] ?? '')?.[1] ?? '';
  const activeKey = async () => {
    const key = await readInstanceKey(catalog.knex, house.rings, id, 'active');
    if (key === undefined) throw new Error('no key');
    return { text: key.instanceKey.reveal(), version: key.version };
  };
  const rotate = async (withinMs?: number) => ended(house, await file(house, 'rotate_key', id), withinMs);
  const list = (): Promise<unknown> => house.api.call('list_databases', { instance_id: id, ...PAGE }, OPTIONS);
  const opens = async (password: string): Promise<boolean> => {
    const bus = house.broker.bus({ user: `guest-${id}`, secret: new Secret(password) });
    await new Promise((resolve) => setTimeout(resolve, 20));
    const { state } = bus;
    await bus.close();
    return state === 'connected';
  };

  /** One key, the same on both sides, under which the guest is spoken to; and the password that goes with it. */
  async function checkWhole(at = ''): Promise<void> {
    const key = await activeKey();
    expect(fileKey(), at).toBe(key.text);
    expect(server().files[GUEST_INFO_FILE], at).not.toMatch(/pending|bootstrap/);
    const live = await catalog
      .knex<InstanceKeyRow>('instance_keys')
      .where({ instance_id: id })
      .whereNot({ state: 'retired' });
    expect(
      live.map((row) => [row.version, row.state, row.kcv]),
      at,
    ).toEqual([[key.version, 'active', keyCheckValue(key.text)]]);
    const url = transportUrlIn(server().files);
    expect(url && accountOfUrl(url)?.password.reveal(), at).toBe(brokerPassword(key.text).reveal());
    expect(await opens(brokerPassword(key.text).reveal()), at).toBe(true);
    expect(await instanceOf(house, id), at).toMatchObject({ task_id: 1, rpc_policy: 2, active_task_id: null });
    await expect(list(), at).resolves.toBeDefined();
  }

  /** A second taskmanager's way to the guest, which knows of no task. */
  async function beside<T>(use: (client: GuestClient) => Promise<T>): Promise<T> {
    const keyStore = createKeyStore(catalog, house.rings, { role: 'taskmanager' });
    const buses = { sealedBus: house.bus, legacyBus: house.bus };
    const client = createGuestClient({ ...buses, keyStore, controlExchange: 'trove', logger: silentLogger });
    try {
      return await use(client);
    } finally {
      await client.close();
    }
  }

  test('ends with a key that was never sent, under which the guest goes on; the old key and password are worth nothing', async () => {
    await created();
    const [key, status] = [await activeKey(), (await instanceOf(house, id)).server_status];
    const bodies: Buffer[] = [];
    house.broker.tap(({ body }) => void bodies.push(body));
    expect((await rotate()).state).toBe('done');
    await checkWhole();
    expect((await activeKey()).version).toBe(key.version + 1);
    expect((await instanceOf(house, id)).server_status).toBe(status);
    expect(await opens(brokerPassword(key.text).reveal())).toBe(false);
    const journal = JSON.stringify([await catalog.knex('tasks'), await catalog.knex('task_steps')]);
    for (const secret of [fileKey(), brokerPassword(fileKey()).reveal()]) {
      expect(bodies.some((body) => body.includes(secret))).toBe(false);
      expect(journal).not.toContain(secret);
    }
    await house.world.stopServer(server().id, new AbortController().signal);
    await house.world.startServer(server().id, new AbortController().signal);
    await expect(list()).resolves.toBeDefined();
    expect((await rotate()).state).toBe('done');
    await checkWhole();
  });

  test('no call is lost meanwhile, also from a process that has read the old key', async () => {
    await created();
    await beside(async (client) => {
      const asked: Promise<unknown>[] = [];
      const timer = setInterval(() => {
        asked.push(client.call(id, 'list_databases', PAGE, OPTIONS), list());
      }, 5);
      for (let turn = 0; turn < 3; turn += 1) expect((await rotate()).state).toBe('done');
      clearInterval(timer);
      await Promise.all(asked);
      expect(asked.length).toBeGreaterThan(10);
    });
  });

  test('a guest that shares an account keeps it', async () => {
    await created(false);
    const before = server().files[GUEST_AGENT_FILE];
    expect((await rotate()).state).toBe('done');
    expect(server().files[GUEST_AGENT_FILE]).toBe(before);
    expect([fileKey(), await accountState(catalog.knex, id)]).toEqual([(await activeKey()).text, 'none']);
  });

  test('a guest that is killed at any point of it comes back to one key, the same as the catalog has', async () => {
    await created();
    let points: string[] = [];
    for (let index = 0; index === 0 || points.length >= index; index += 1) {
      points = [];
      let dead = false;
      house.world.guestFaults.dies = (point) => {
        if (dead) return false;
        points.push(point);
        dead = points.length - 1 === index;
        return dead;
      };
      const { state } = await rotate(60_000);
      house.world.guestFaults.dies = undefined;
      const at = `killed at ${points.at(-1)}, point ${index}`;
      expect(state, at).toBe('done');
      await checkWhole(at);
    }
    expect(points).toEqual([
      ...['before pending', 'after pending', 'answer'],
      ...['before password', 'before key', 'after key', 'answer'],
    ]);
  }, 240_000);

  test.each([0, 1])('an answer that gets lost (number %s) is agreed on anew, or found out', async (number) => {
    await created();
    let sent = -1;
    house.world.guestFaults.loses = () => {
      sent += 1;
      return sent === number;
    };
    expect((await rotate()).state).toBe('done');
    await checkWhole();
  });

  const beforeProof = (act: () => Promise<void>): void => {
    let done = false;
    hook = async ({ kind, step, at }) => {
      if (done || kind !== 'rotate_key' || step !== 'prove_key' || at !== 'before_run') return;
      done = true;
      await act();
    };
  };

  test('a pending key that a late request has overwritten at the guest is agreed on anew, under the old one', async () => {
    await created();
    const { version } = await activeKey();
    beforeProof(async () => {
      const args = { version: version + 1, public: newKeyPair().public.toString('hex') };
      await beside((client) => client.call(id, 'rotate_key', args, { ...OPTIONS, keyVersion: version }));
    });
    expect((await rotate()).state).toBe('done');
    await checkWhole();
    expect((await activeKey()).version).toBe(version + 2);
  });

  test('a pending key that the guest has lost is agreed on anew', async () => {
    await created();
    const { signal } = new AbortController();
    beforeProof(async () => {
      const one = server();
      await house.world.stopServer(one.id, signal);
      const info = (one.files[GUEST_INFO_FILE] ?? '').replaceAll(/^instance_rpc_pending.*\n/gm, '');
      one.files = { ...one.files, [GUEST_INFO_FILE]: info };
      await house.world.startServer(one.id, signal);
    });
    expect((await rotate()).state).toBe('done');
    await checkWhole();
  });

  test('a rotation that was given up leaves the instance serving, under whichever key its guest comes to hold', async () => {
    await created();
    const { version } = await activeKey();
    let task = '';
    beforeProof(async () => {
      await catalog.knex('tasks').where({ id: task }).update({ cancel_requested: 1 });
      house.world.guestFaults.loses = () => true;
    });
    task = await file(house, 'rotate_key', id);
    expect((await ended(house, task)).state).toBe('cancelled');
    house.world.guestFaults.loses = undefined;
    // The hello may have proven the key and its answer be lost: then the guest has changed, and the catalog not.
    const pending = await catalog
      .knex<InstanceKeyRow>('instance_keys')
      .where({ instance_id: id, state: 'pending' })
      .first();
    expect(pending?.version).toBe(version + 1);
    await expect(list()).resolves.toBeDefined();
    hook = undefined;
    const heard = async (): Promise<void> => {
      // As a conductor does with each report under the key that the guest has come to hold, at most once in 10 s.
      await wantHello(catalog.knex, id);
      expect((await activeKey()).version).toBeGreaterThan(version);
    };
    await vi.waitFor(heard, { timeout: 40_000, interval: 200 });
    await expect.poll(async () => (await instanceOf(house, id)).active_task_id).toBeNull();
    await checkWhole();
  });

  test('while the broker does not change the password the new key holds, and the guest keeps the password that it has', async () => {
    await created();
    const before = await activeKey();
    const { putUser } = house.admin;
    let failing = true;
    house.admin.putUser = async (...args) => {
      if (failing) throw new TroveError('BUS_UNAVAILABLE', 'away', { retryable: true });
      await putUser(...args);
    };
    const task = await file(house, 'rotate_key', id);
    while ((await activeKey()).version === before.version) await new Promise((resolve) => setTimeout(resolve, 20));
    const { signal } = new AbortController();
    await house.world.stopServer(server().id, signal);
    await house.world.startServer(server().id, signal);
    await expect(list()).resolves.toBeDefined();
    failing = false;
    expect((await ended(house, task)).state).toBe('done');
    await house.world.stopServer(server().id, signal);
    await house.world.startServer(server().id, signal);
    await checkWhole();
    expect(server().files[GUEST_AGENT_FILE]).not.toContain('sealed_transport_passwords');
  });

  test('an upgrade takes up where a rotation was given up, and one that is taken back injects the key that holds now', async () => {
    await created();
    const original = { ...server().files };
    expect((await rotate()).state).toBe('done');
    const key = await activeKey();
    house.world.guestFaults.fail.set('post_upgrade {"stopped":true}', 'cannot read this volume');
    // A driver that knows only what was injected at first.
    const { injectedFiles } = house.world;
    house.world.injectedFiles = async () => original;
    expect((await ended(house, await file(house, 'upgrade_instance', id, UPGRADE))).state).toBe('failed');
    house.world.injectedFiles = injectedFiles;
    expect(await faultOf(house, id)).toBe('cannot read this volume');
    expect(fileKey()).toBe(key.text);
    await checkWhole();
    house.world.guestFaults.fail.clear();
    expect((await ended(house, await file(house, 'upgrade_instance', id, UPGRADE))).state).toBe('done');
    await checkWhole();
  });

  test('a key that was injected is good for half an hour: a build that has not agreed on another by then is taken back', async () => {
    await house.taskmanager({ faults: (point) => hook?.(point) });
    hook = async ({ step, at }) => {
      if (step === 'agree_key' && at === 'before_run')
        await catalog.knex('instance_keys').whereNotNull('bootstrap_until').update({ bootstrap_until: 1 });
    };
    const made = await fileCreate(house);
    const task = await ended(house, made.taskId);
    expect([task.state, JSON.parse(task.error ?? '{}').message]).toEqual([
      'failed',
      'The guest agent did not agree on a key within 30 minutes.',
    ]);
    expect(house.world.servers.size).toBe(0);
  });

  test('under a key that was injected nothing is asked but what it is for', async () => {
    await house.taskmanager({ faults: (point) => hook?.(point) });
    const refusals: unknown[] = [];
    hook = async ({ kind, step, at }) => {
      if (kind !== 'create_instance' || step !== 'agree_key' || at !== 'before_run') return;
      const [row] = await catalog.knex('instance_keys').whereNotNull('bootstrap_until').pluck('instance_id');
      await beside(async (client) => {
        await client.call(row, 'list_databases', PAGE, OPTIONS).catch((error: unknown) => refusals.push(error));
      });
    };
    const made = await fileCreate(house);
    expect((await ended(house, made.taskId)).state).toBe('done');
    expect(refusals).toMatchObject([{ code: 'UNPROCESSABLE' }]);
    ({ id } = made);
    await checkWhole();
  });

  test('what has no key, or one of another kind, is refused with the reason', async () => {
    await house.taskmanager({ secure: false });
    const made = await fileCreate(house);
    expect((await ended(house, made.taskId)).state).toBe('done');
    ({ id } = made);
    const task = await rotate();
    expect([task.state, JSON.parse(task.error ?? '{}').code]).toEqual(['failed', 'UNPROCESSABLE']);
    expect(await instanceOf(house, id)).toMatchObject({ task_id: 1, active_task_id: null });
  });
});
