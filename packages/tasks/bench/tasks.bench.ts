import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { dbNow } from '@trove/catalog';
import { type TestCatalog, testCatalog } from '@trove/catalog/testing';
import { newUuid, silentLogger } from '@trove/common';
import { loadFor, type Measurement, measure, median } from '@trove/testkit/bench';
import {
  createTaskEngine,
  type Step,
  type TaskEngine,
  type TaskEngineOptions,
  type TaskKind,
  type Wait,
} from '../src/index.ts';
import { fileBuild, newInstance, until } from '../test/house.ts';
import type { ReportsArguments } from './reports.ts';

const ROUND_MS = 3000;
const IN_FLIGHT = 8;
const STEPS = 10;
const TASKS = 100;
const WAITING = 1000;
const WAIT_MS = 5000;
const REPORT_MS = 30_000;
const LONGEST_MS = 30_000;
const AWAITED: Wait = { ms: 500, grows: { share: 0.1, capMs: LONGEST_MS } };
const SETTLE_MS = 5000;
const WATCHED_MS = 30_000;
const DEAD = 8;

/** The engine on MariaDB: what its journal costs beside bare statements, what waiting costs, and how long the dead hold up. */
export async function benchTasks(): Promise<Measurement[]> {
  const catalog = await testCatalog('mysql');
  try {
    return [await rates(catalog), await waiting(catalog), await takeOver(catalog)];
  } finally {
    await catalog.dispose();
  }
}

async function rates(catalog: TestCatalog): Promise<Measurement> {
  const instanceId = await newInstance(catalog);
  const update = (): Promise<unknown> =>
    catalog.knex('instances').where({ id: instanceId }).increment('volume_size', 1);
  const file = async (): Promise<unknown> => fileBuild(catalog, await newInstance(catalog));
  return await measure({
    name: 'tasks',
    conditions: `${IN_FLIGHT} in flight; ${TASKS} tasks of ${STEPS} steps that do nothing, one worker; MariaDB`,
    rounds: 3,
    contenders: [
      { name: 'bare UPDATE', run: async () => perSecond(await loadFor(ROUND_MS, IN_FLIGHT, update)) },
      { name: 'tasks accepted', run: async () => perSecond(await loadFor(ROUND_MS, IN_FLIGHT, file)) },
      { name: 'steps done', run: () => stepsDone(catalog) },
    ],
  });
}

function perSecond(figures: Record<string, number>): Record<string, number> {
  return { 'per s': figures['per s'] ?? Number.NaN };
}

async function stepsDone(catalog: TestCatalog): Promise<Record<string, number>> {
  await forgetTasks(catalog);
  for (let index = 0; index < TASKS; index += 1) await fileBuild(catalog, await newInstance(catalog));
  const start = performance.now();
  const engine = startEngine(catalog, nothing(STEPS), { concurrency: IN_FLIGHT, pollMs: { min: 5, max: 10 } });
  await until('all tasks', async () => (await unfinished(catalog)) === 0, 120_000);
  const seconds = (performance.now() - start) / 1000;
  await engine.close();
  return { 'per s': (TASKS * STEPS) / seconds };
}

/**
 * Of this process, with everything that the engine asks the database; the database's own share is not in it, nor the
 * conductor's. Measured once all have looked, and as long after their beginning as the longest wait needs.
 */
async function waiting(catalog: TestCatalog): Promise<Measurement> {
  await forgetTasks(catalog);
  const seconds = (ms: number): string => `${ms / 1000} s`;
  return await measure({
    name: 'waiting tasks',
    conditions: `one worker watched for ${seconds(WATCHED_MS)}; each look reads one row, as a step does that awaits a guest; MariaDB`,
    rounds: 1,
    warmUp: false,
    contenders: [
      { name: 'none', run: () => watch(catalog, { ms: WAIT_MS }) },
      {
        name: `${WAITING}, a look every ${seconds(WAIT_MS)}`,
        run: async () => {
          for (let index = 0; index < WAITING; index += 1) await fileBuild(catalog, await newInstance(catalog));
          return await watch(catalog, { ms: WAIT_MS });
        },
      },
      {
        name: `${WAITING}, a look every ${seconds(LONGEST_MS)}, nothing reported`,
        run: () => watch(catalog, AWAITED),
      },
      {
        name: `${WAITING}, the same, and a report of each every ${seconds(REPORT_MS)}`,
        run: () => withReports(catalog, () => watch(catalog, AWAITED)),
      },
    ],
  });
}

async function watch(catalog: TestCatalog, wait: Wait): Promise<Record<string, number>> {
  const { knex } = catalog;
  const counts = { looks: 0, queries: 0 };
  const count = (): void => void (counts.queries += 1);
  const engine = startEngine(
    catalog,
    waitingKind(catalog, wait, () => (counts.looks += 1)),
    {},
  );
  await knex('task_steps').update({ started: 1 });
  await knex('tasks').update({ wake_at: 1 });
  await until('the first looks', async () => counts.looks >= (await unfinished(catalog)), 300_000);
  await knex('task_steps').update({ started: 1 });
  // From now on as they will always be, spread over the longest wait.
  await knex('tasks')
    .where({ state: 'waiting' })
    .update({ wake_at: knex.raw('? + RAND() * ?', [dbNow(knex), (wait.grows?.capMs ?? wait.ms) * 1000]) });
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  Object.assign(counts, { looks: 0, queries: 0 });
  knex.on('query', count);
  const before = process.cpuUsage();
  const start = performance.now();
  await new Promise((resolve) => setTimeout(resolve, WATCHED_MS));
  const used = process.cpuUsage(before);
  const elapsedMs = performance.now() - start;
  knex.removeListener('query', count);
  await engine.close();
  const cost = { 'CPU %': (100 * (used.user + used.system)) / (elapsedMs * 1000) };
  if (counts.looks === 0) return cost;
  return { ...cost, 'looks/s': counts.looks / (elapsedMs / 1000), 'queries/look': counts.queries / counts.looks };
}

/** With a conductor, in another process, that wakes each task once per interval. */
async function withReports<T>(catalog: TestCatalog, work: () => Promise<T>): Promise<T> {
  const given: ReportsArguments = { connection: catalog.connection, everyMs: REPORT_MS };
  const conductor = spawn(process.execPath, [join(import.meta.dirname, 'reports.ts')], {
    env: { ...process.env, REPORTS_ARGUMENTS: JSON.stringify(given) },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const exited = once(conductor, 'exit');
  try {
    return await work();
  } finally {
    conductor.kill();
    await exited;
  }
}

/** From the death of a worker to the moment at which another does the step that it died in: the lease, and a poll. */
async function takeOver(catalog: TestCatalog): Promise<Measurement> {
  const died = new Map<string, number>();
  const waits: number[] = [];
  const run = async (): Promise<Record<string, number>> => {
    await forgetTasks(catalog);
    for (let index = 0; index < DEAD; index += 1) await fileBuild(catalog, await newInstance(catalog));
    const first = startEngine(catalog, nothing(1), {
      faults: ({ taskId }) => {
        died.set(taskId, performance.now());
        throw new Error('killed');
      },
    });
    await until('the deaths', async () => died.size === DEAD, 60_000);
    const second = startEngine(catalog, nothing(1), {
      faults: ({ taskId, at }) => {
        if (at === 'before_run') waits.push((performance.now() - (died.get(taskId) ?? Number.NaN)) / 1000);
      },
    });
    await first.close();
    await until('the others', async () => waits.length === DEAD, 120_000);
    await until('the ends', async () => (await unfinished(catalog)) === 0, 60_000);
    await second.close();
    return { 'median s': median(waits), 'longest s': Math.max(...waits) };
  };
  return await measure({
    name: 'take-over after a kill',
    conditions: `${DEAD} tasks, lease 30 s, poll 2 to 5 s; MariaDB`,
    rounds: 1,
    warmUp: false,
    contenders: [{ name: 'another worker', run }],
  });
}

function startEngine(catalog: TestCatalog, kind: TaskKind, more: Partial<TaskEngineOptions>): TaskEngine {
  const engine = createTaskEngine({ catalog, kinds: [kind], owner: newUuid(), logger: silentLogger, ...more });
  engine.start();
  return engine;
}

function kindOf(steps: readonly Step[]): TaskKind {
  const nothingMore = async (): Promise<void> => undefined;
  return {
    ...{ kind: 'build', codeVersion: 1, deadlineMs: 600_000, compensationDeadlineMs: 600_000 },
    steps: () => steps,
    ...{ onDone: nothingMore, onFailed: nothingMore, onCancelled: nothingMore },
  };
}

function nothing(count: number): TaskKind {
  const step = (_: unknown, index: number): Step => ({
    name: `step_${index}`,
    run: async () => ({ done: null }),
    timeoutMs: 10_000,
    retry: { attempts: 3, capMs: 100 },
  });
  return kindOf(Array.from({ length: count }, step));
}

function waitingKind({ knex }: TestCatalog, wait: Wait, onLook: () => void): TaskKind {
  const run: Step['run'] = async ({ task }) => {
    onLook();
    const row = await knex('instance_reports').where({ instance_id: task.instanceId }).first('received_at');
    return row === undefined ? { wait } : { done: null };
  };
  return kindOf([{ name: 'wait', run, timeoutMs: 10_000, retry: { attempts: 3, capMs: 100 } }]);
}

async function unfinished({ knex }: TestCatalog): Promise<number> {
  const row = await knex('tasks').whereNotIn('state', ['done', 'failed', 'cancelled']).count({ n: '*' }).first();
  return Number(row?.['n']);
}

async function forgetTasks({ knex }: TestCatalog): Promise<void> {
  await knex('task_steps').delete();
  await knex('tasks').delete();
  await knex('instances').delete();
}
