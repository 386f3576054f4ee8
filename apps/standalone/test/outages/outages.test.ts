import { setTimeout as delay } from 'node:timers/promises';
import { type BreakableBroker, type BreakableServer, breakableBroker, breakableDatabase } from '@trove/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  type Answer,
  eventually,
  instanceOf,
  newInstance,
  openServices,
  type RunningService,
  type Services,
  taskEnd,
} from './services.ts';

// Servers and services are processes of their own, which take seconds to start on a busy machine.
vi.setConfig({ testTimeout: 400_000, hookTimeout: 300_000 });

/** Then every lease that was held has run out. */
const LONGER_THAN_A_LEASE_MS = 35_000;

let broker: BreakableBroker;
let database: BreakableServer;
let services: Services;
let running: Record<'api' | 'taskmanager' | 'conductor', RunningService>;
let served = '';
beforeAll(async () => {
  [broker, database] = await Promise.all([breakableBroker(), breakableDatabase()]);
  services = await openServices({ amqp: broker.url, mysql: database.url });
  const [api, taskmanager, conductor] = await Promise.all([
    services.start('api'),
    services.start('taskmanager'),
    services.start('conductor'),
  ]);
  running = { api, taskmanager, conductor };
  const created = await ask('POST', '/instances', newInstance('served'));
  expect(await taskEnd(services, taskIdOf(created))).toBe('done');
  served = instanceOf(created).id;
});
afterAll(async () => {
  for (const server of [broker, database]) server.thaw();
  await services.dispose();
  await Promise.all([broker.dispose(), database.dispose()]);
});
beforeEach(() => allAreWell());

const ask = (method: string, path: string, options?: Parameters<Services['ask']>[3]) =>
  services.ask(running.api, method, path, options);
const taskIdOf = ({ headers }: Answer): string | null => headers.get('x-trove-task-id');
const everyHealth = () => Promise.all(Object.values(running).map((service) => service.health()));

/** All three say that they are well, and none of them was started again. */
async function allAreWell(): Promise<void> {
  await eventually('all healthy', async () =>
    (await everyHealth()).every(({ code }) => code === 200) ? true : undefined,
  );
}

async function allSay(part: string): Promise<void> {
  await eventually(`all say that the ${part} is away`, async () =>
    (await everyHealth()).every(({ code, text }) => code === 503 && text.includes(`"${part}"`)) ? true : undefined,
  );
}

/** What is taken away, how, and how it comes back. */
const AWAY = {
  killed: { take: (server: BreakableServer) => server.kill(), bring: (server: BreakableServer) => server.start() },
  frozen: {
    take: async (server: BreakableServer) => server.freeze(),
    bring: async (server: BreakableServer) => server.thaw(),
  },
};

describe.each(['killed', 'frozen'] as const)('with the database %s', (how) => {
  test('requests get 503 with Retry-After, health says so, and work under way goes on by itself afterwards', async () => {
    const created = await ask('POST', '/instances', newInstance(`build-${how}`));
    const taskId = taskIdOf(created);
    await eventually('the build has begun', async () => {
      const row = await services.catalog.knex('tasks').where({ id: taskId }).first('step');
      return row?.step ?? undefined;
    });
    await AWAY[how].take(database);
    try {
      await allSay('catalog');
      const path = `/instances/${served}`;
      const answers = await Promise.all([
        ask('GET', path),
        ask('GET', `${path}/tasks`),
        ask('GET', `${path}/databases`),
        ask('POST', '/instances', newInstance('refused')),
        ask('POST', `${path}/action`, { body: { restart: {} } }),
        ask('DELETE', path, { headers: { 'idempotency-key': `key-${how}` } }),
      ]);
      for (const answer of answers) {
        expect(answer.code).toBe(503);
        expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
        expect(Object.keys(answer.body as object)).toEqual(['serviceUnavailable']);
      }
      if (how === 'killed') await delay(LONGER_THAN_A_LEASE_MS);
    } finally {
      await AWAY[how].bring(database);
    }
    await allAreWell();
    expect(await taskEnd(services, taskId)).toBe('done');
    const shown = await eventually('the instance is healthy', async () => {
      const instance = instanceOf(await ask('GET', `/instances/${instanceOf(created).id}`));
      return instance['operating_status'] === 'HEALTHY' ? instance : undefined;
    });
    expect(shown['status']).toBe('ACTIVE');
    const gone = await ask('DELETE', `/instances/${instanceOf(created).id}`);
    expect(await taskEnd(services, taskIdOf(gone))).toBe('done');
  });
});

describe.each(['killed', 'frozen'] as const)('with the broker %s', (how) => {
  test('creates are accepted and done afterwards, what needs a guest is 503, reads are answered', async () => {
    await AWAY[how].take(broker);
    let created: Answer;
    try {
      await allSay('bus');
      created = await ask('POST', '/instances', newInstance(`queued-${how}`));
      expect(created.code).toBe(200);
      expect((await ask('GET', `/instances/${served}`)).code).toBe(200);
      const databases = await ask('GET', `/instances/${served}/databases`);
      // The guest's reports stop with the bus, so after a while the instance does not count as serving any more.
      expect([422, 503]).toContain(databases.code);
      if (databases.code === 503) expect(databases.headers.get('retry-after')).toMatch(/^\d+$/);
    } finally {
      await AWAY[how].bring(broker);
    }
    await allAreWell();
    expect(await taskEnd(services, taskIdOf(created))).toBe('done');
    await eventually('the guest answers again', async () => {
      const { code } = await ask('GET', `/instances/${served}/databases`);
      return code === 200 ? true : undefined;
    });
    const gone = await ask('DELETE', `/instances/${instanceOf(created).id}`);
    expect(await taskEnd(services, taskIdOf(gone))).toBe('done');
  });
});

test.each(['memory', 'disk'] as const)(
  'with a broker that is short of %s creates are accepted and done afterwards, health says so, and nothing waits for ever',
  async (of) => {
    await broker.alarm(of);
    let created: Answer;
    try {
      created = await ask('POST', '/instances', newInstance(`short-of-${of}`));
      expect(created.code).toBe(200);
      await eventually('the api, which rang for the create, says so', async () => {
        const { code, text } = await running.api.health();
        return code === 503 && text.includes('blocked') ? true : undefined;
      });
      expect((await ask('GET', `/instances/${served}`)).code).toBe(200);
      const databases = await ask('GET', `/instances/${served}/databases`);
      expect([422, 503]).toContain(databases.code);
    } finally {
      await broker.endAlarms();
    }
    await allAreWell();
    expect(await taskEnd(services, taskIdOf(created))).toBe('done');
    await eventually('the guest answers again', async () => {
      const { code } = await ask('GET', `/instances/${served}/databases`);
      return code === 200 ? true : undefined;
    });
    const gone = await ask('DELETE', `/instances/${instanceOf(created).id}`);
    expect(await taskEnd(services, taskIdOf(gone))).toBe('done');
  },
);

test('a service that is told to stop while both are frozen ends in time', async () => {
  const more = await Promise.all(
    (['api', 'taskmanager', 'conductor'] as const).map((name) =>
      services.start(name, 'graceful_shutdown_timeout = 40'),
    ),
  );
  broker.freeze();
  database.freeze();
  try {
    expect(await Promise.all(more.map(({ program }) => program.stop()))).toEqual([0, 0, 0]);
  } finally {
    broker.thaw();
    database.thaw();
  }
});
