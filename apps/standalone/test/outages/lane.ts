import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { newUuid } from '@trove/common';
import type { BreakableServer } from '@trove/testkit';
import { expect } from 'vitest';
import {
  type Answer,
  APPS,
  eventually,
  instanceOf,
  newInstance,
  openServices,
  type RunningService,
  type ServiceName,
  type Services,
  TOKEN_ENV,
  taskEnd,
} from './services.ts';

const HELD_AWAY_MS = 60_000;
/** No request may take longer, whatever is away. */
const ANSWERED_WITHIN_MS = 45_000;
const PAUSE_MS = 1000;

/** What is taken away, how, and how it comes back. */
export const AWAY = {
  killed: { take: (server: BreakableServer) => server.kill(), bring: (server: BreakableServer) => server.start() },
  frozen: {
    take: async (server: BreakableServer) => server.freeze(),
    bring: async (server: BreakableServer) => server.thaw(),
  },
} as const;

export interface Asked {
  readonly what: string;
  readonly code: number;
  readonly retryAfter: string | null;
  readonly ms: number;
}

type Request = readonly [method: string, path: string, body?: unknown];

/** One deployment with its servers, two instances, and what is done to them. */
export class Lane {
  readonly services: Services;
  readonly running: RunningService[] = [];
  readonly #api: RunningService;
  readonly #keys: string[] = [];
  served = '';
  changing = '';

  private constructor(services: Services, api: RunningService) {
    this.services = services;
    this.#api = api;
    this.running.push(api);
  }

  static async open(urls: { amqp: string; mysql: string }): Promise<Lane> {
    const services = await openServices(urls);
    try {
      return await Lane.#fill(services);
    } catch (error) {
      await services.dispose();
      throw error;
    }
  }

  static async #fill(services: Services): Promise<Lane> {
    const [api, ...others] = await Promise.all([
      services.start('api'),
      services.start('taskmanager'),
      services.start('conductor'),
    ]);
    const lane = new Lane(services, api);
    lane.running.push(...others);
    // One after the other: all lanes do this at once, and a database takes its time to be made.
    for (const name of ['served', 'changing'] as const) {
      const created = await lane.ask('POST', '/instances', { name });
      await lane.#isDone(taskIdOf(created));
      lane[name] = instanceOf(created).id;
    }
    return lane;
  }

  /** Rejects where there is no answer in time; `name` alone is an instance to be made. */
  async ask(method: string, path: string, body?: unknown, key?: string): Promise<Answer> {
    const isName = typeof body === 'object' && body !== null && 'name' in body;
    return await this.services.ask(this.#api, method, path, {
      ...(isName ? newInstance(String(body.name)) : body !== undefined && { body }),
      headers: key === undefined ? {} : { 'idempotency-key': key },
      withinMs: ANSWERED_WITHIN_MS,
    });
  }

  /** One more service while something is away: it starts all the same, and waits. */
  async startMeanwhile(name: ServiceName): Promise<RunningService> {
    const service = await this.services.start(name);
    this.running.push(service);
    return service;
  }

  /** A build, a restart and a larger volume, all accepted, and the build at one of its steps. */
  async begin(size: number): Promise<void> {
    const requests: Request[] = [
      ['POST', '/instances', { name: `build-${newUuid().slice(0, 8)}` }],
      ['POST', `/instances/${this.changing}/action`, { restart: {} }],
      ['POST', `/instances/${this.served}/action`, { resize: { volume: { size } } }],
    ];
    let build: string | null = null;
    for (const [method, path, body] of requests) {
      const key = newUuid();
      const answer = await this.ask(method, path, body, key);
      expect([200, 202]).toContain(answer.code);
      this.#keys.push(key);
      build ??= taskIdOf(answer);
    }
    await eventually('the build has begun', async () => {
      const row = await this.services.catalog.knex('tasks').where({ id: build }).first('step');
      return row?.step ?? undefined;
    });
  }

  /** Asks over and over, each of these by itself, until what is to happen meanwhile is over and the time is. */
  async askAllTheTime(requests: readonly Request[], meanwhile: () => Promise<void>): Promise<Asked[]> {
    const asked: Asked[] = [];
    const end = performance.now() + HELD_AWAY_MS;
    let isOver = false;
    const over = meanwhile().finally(() => {
      isOver = true;
    });
    const loops = requests.map(async ([method, path, body]) => {
      // One key for all repetitions: it is one request.
      const key = method === 'GET' ? undefined : newUuid();
      while (!isOver || performance.now() < end) {
        const began = performance.now();
        const { code, headers } = await this.ask(method, path, body, key);
        if (code < 300 && key !== undefined && !this.#keys.includes(key)) this.#keys.push(key);
        const what = `${method} ${path.replace(this.served, 'ID')}`;
        asked.push({ what, code, retryAfter: headers.get('retry-after'), ms: performance.now() - began });
        await delay(PAUSE_MS);
      }
    });
    await Promise.all([over, ...loops]);
    return asked;
  }

  /** All say that they are well, and none of them was started again. */
  async allAreWell(): Promise<void> {
    await eventually('all healthy', async () =>
      (await this.#everyHealth()).every(({ code }) => code === 200) ? true : undefined,
    );
  }

  async allSay(...parts: readonly string[]): Promise<void> {
    await eventually(`all say that this is away: ${parts.join(', ')}`, async () =>
      (await this.#everyHealth()).every(
        ({ code, text }) => code === 503 && parts.every((part) => text.includes(`"${part}"`)),
      )
        ? true
        : undefined,
    );
  }

  /** Every request that was accepted has led to one task, which is done; every instance that is there serves. */
  async nothingIsLost(): Promise<void> {
    const { knex } = this.services.catalog;
    for (const key of this.#keys) {
      const ids: string[] = await knex('tasks').where({ idempotency_key: key }).pluck('id');
      expect(ids).toHaveLength(1);
      await this.#isDone(ids[0] ?? null);
    }
    expect(await knex('tasks').whereNot({ state: 'done' }).select('kind', 'state', 'step', 'error')).toEqual([]);
    const shown = await eventually('every instance is healthy', async () => {
      const { body } = await this.ask('GET', '/instances');
      const { instances } = body as { instances: Record<string, unknown>[] };
      return instances.every((one) => one['operating_status'] === 'HEALTHY') ? instances : undefined;
    });
    for (const one of shown) expect(one['status']).toBe('ACTIVE');
  }

  /** The `trove` command against this api, or `trove-manage` on this catalog, as a shell runs them. */
  async command(name: 'trove' | 'trove-manage', ...argv: string[]): Promise<{ code: number | null; err: string }> {
    const bin = join(APPS, name === 'trove' ? 'cli' : 'standalone', 'bin', `${name}.js`);
    const env = {
      ...process.env,
      ...TOKEN_ENV,
      TROVE_URL: this.#api.url,
      TROVE_DATABASE__CONNECTION: this.services.connection,
    };
    const child = spawn(process.execPath, [bin, ...argv], { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let err = '';
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, err };
  }

  async #isDone(taskId: string | null): Promise<void> {
    await taskEnd(this.services, taskId);
    const row = await this.services.catalog.knex('tasks').where({ id: taskId }).first('kind', 'state', 'step', 'error');
    expect(row).toEqual({ ...row, state: 'done', error: null });
  }

  async #everyHealth(): Promise<{ code: number; text: string }[]> {
    return await Promise.all(this.running.map((service) => service.health()));
  }
}

function taskIdOf({ headers }: Answer): string | null {
  return headers.get('x-trove-task-id');
}
