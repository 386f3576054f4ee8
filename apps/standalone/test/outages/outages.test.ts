import { type BreakableServer, breakableBroker, breakableDatabase } from '@trove/testkit';
import { describe, expect, test, vi } from 'vitest';
import { type Asked, AWAY, Lane } from './lane.ts';
import { eventually } from './services.ts';

// Servers and services are processes of their own, which take seconds to start on a busy machine, and each server is away
// for a minute at a time. The lanes run side by side, each on servers that the others do not use.
vi.setConfig({ testTimeout: 900_000, hookTimeout: 300_000 });

const SHARED = { amqp: process.env['TROVE_TEST_AMQP_URL'] ?? '', mysql: process.env['TROVE_TEST_MYSQL_URL'] ?? '' };
const AS_OF_NOW = ['GET /instances/ID', 'GET /instances/ID/tasks'];

/** Whatever happens, the servers are there again and what was started is gone. */
async function laneOn(
  servers: { broker?: BreakableServer; database?: BreakableServer },
  drive: (lane: Lane) => Promise<void>,
): Promise<void> {
  const { broker, database } = servers;
  const own = [broker, database].filter((server) => server !== undefined);
  try {
    const lane = await Lane.open({ amqp: broker?.url ?? SHARED.amqp, mysql: database?.url ?? SHARED.mysql });
    try {
      await lane.allAreWell();
      await drive(lane);
    } finally {
      for (const server of own) server.thaw();
      await lane.services.dispose();
    }
  } finally {
    await Promise.all(own.map((server) => server.dispose()));
  }
}

function everyAnswer(asked: readonly Asked[], isRight: (one: Asked) => boolean): void {
  expect(asked.length).toBeGreaterThan(0);
  expect(asked.filter((one) => !isRight(one))).toEqual([]);
}

const saysWhenToComeBack = ({ code, retryAfter }: Asked): boolean => code === 503 && /^\d+$/.test(retryAfter ?? '');

describe.concurrent('away for a minute', () => {
  test('the database, killed and then frozen: requests get 503 with Retry-After, health says so, and work goes on by itself', async () => {
    const database = await breakableDatabase();
    await laneOn({ database }, async (lane) => {
      let size = 1;
      for (const how of ['killed', 'frozen'] as const) {
        const id = lane.served;
        await lane.begin((size += 1));
        await AWAY[how].take(database);
        try {
          await lane.allSay('catalog');
          const asked = await lane.askAllTheTime(
            [
              ['GET', '/instances'],
              ['GET', `/instances/${id}`],
              ['GET', `/instances/${id}/tasks`],
              ['GET', `/instances/${id}/databases`],
              ['POST', '/instances', { name: 'refused' }],
              ['POST', `/instances/${id}/action`, { restart: {} }],
              ['DELETE', `/instances/${id}`],
            ],
            async () => {
              const started = await lane.startMeanwhile('api');
              expect(started.program.output()).toContain('the catalog does not answer');
              await lane.allSay('catalog');
              expect(await lane.command('trove', 'list')).toMatchObject({
                code: 1,
                err: expect.stringContaining('(HTTP 503)'),
              });
              expect(await lane.command('trove-manage', 'db_version')).toMatchObject({
                code: 4,
                err: expect.stringContaining('the catalog cannot be reached'),
              });
            },
          );
          everyAnswer(asked, saysWhenToComeBack);
        } finally {
          await AWAY[how].bring(database);
        }
        await lane.allAreWell();
        await lane.nothingIsLost();
      }
    });
  });

  test('the broker, killed and then frozen: requests are accepted and done afterwards, what needs a guest is 503, reads are answered', async () => {
    const broker = await breakableBroker();
    await laneOn({ broker }, async (lane) => {
      let size = 1;
      for (const how of ['killed', 'frozen'] as const) {
        await lane.begin((size += 1));
        await AWAY[how].take(broker);
        try {
          await lane.allSay('bus');
          const asked = await lane.askAllTheTime(
            [
              ['GET', `/instances/${lane.served}`],
              ['GET', `/instances/${lane.served}/tasks`],
              ['GET', `/instances/${lane.served}/databases`],
              ['POST', '/instances', { name: `queued-${how}` }],
            ],
            async () => {
              const started = await lane.startMeanwhile('conductor');
              expect(started.program.output()).toMatch(/bus not reached|the bus does not answer/);
            },
          );
          everyAnswer(
            asked.filter(({ what }) => AS_OF_NOW.includes(what) || what.startsWith('POST')),
            ({ code }) => code === 200,
          );
          // The guest's reports stop with the bus, so after a while the instance does not count as serving any more.
          everyAnswer(
            asked.filter(({ what }) => what.endsWith('/databases')),
            (one) => one.code === 422 || saysWhenToComeBack(one),
          );
        } finally {
          await AWAY[how].bring(broker);
        }
        await lane.allAreWell();
        await lane.nothingIsLost();
        await eventually('the guest answers again', async () => {
          const { code } = await lane.ask('GET', `/instances/${lane.served}/databases`);
          return code === 200 ? true : undefined;
        });
      }
    });
  });

  test('both at once: services that are started wait and say so, and all goes on when they are back; told to stop, they end', async () => {
    const [broker, database] = await Promise.all([breakableBroker(), breakableDatabase()]);
    await laneOn({ broker, database }, async (lane) => {
      await lane.begin(2);
      await AWAY.killed.take(database);
      await AWAY.frozen.take(broker);
      try {
        const asked = await lane.askAllTheTime(
          [
            ['GET', `/instances/${lane.served}`],
            ['GET', `/instances/${lane.served}/databases`],
            ['POST', '/instances', { name: 'refused' }],
          ],
          async () => {
            await lane.allSay('catalog', 'bus');
            const started = await Promise.all(
              (['api', 'taskmanager', 'conductor'] as const).map((name) => lane.startMeanwhile(name)),
            );
            for (const { program } of started) expect(program.output()).toContain('the catalog does not answer');
            await lane.allSay('catalog', 'bus');
          },
        );
        everyAnswer(asked, saysWhenToComeBack);
      } finally {
        await AWAY.killed.bring(database);
        await AWAY.frozen.bring(broker);
      }
      await lane.allAreWell();
      await lane.nothingIsLost();
      const more = await Promise.all(
        (['api', 'taskmanager', 'conductor'] as const).map((name) =>
          lane.services.start(name, 'graceful_shutdown_timeout = 40'),
        ),
      );
      broker.freeze();
      database.freeze();
      expect(await Promise.all(more.map(({ program }) => program.stop()))).toEqual([0, 0, 0]);
    });
  });
});
