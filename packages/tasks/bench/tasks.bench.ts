import { type TestCatalog, testCatalog } from '@trove/catalog/testing';
import { newUuid, silentLogger } from '@trove/common';
import { loadFor, type Measurement, measure, median } from '@trove/testkit/bench';
import { createTaskEngine, type Step, type TaskEngine, type TaskEngineOptions, type TaskKind } from '../src/index.ts';
import { fileBuild, newInstance, until } from '../test/house.ts';

const ROUND_MS = 3000;
const IN_FLIGHT = 8;
const STEPS = 10;
const TASKS = 100;
const WAITING = 1000;
const WAIT_MS = 5000;
const WATCHED_MS = 15_000;
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

/** Of this process, with everything that the engine asks the database; the database's own share is not in it. */
async function waiting(catalog: TestCatalog): Promise<Measurement> {
  await forgetTasks(catalog);
  const watch = async (): Promise<Record<string, number>> => {
    const engine = startEngine(catalog, waitingKind(), {});
    const before = process.cpuUsage();
    const start = performance.now();
    await new Promise((resolve) => setTimeout(resolve, WATCHED_MS));
    const used = process.cpuUsage(before);
    const elapsedUs = (performance.now() - start) * 1000;
    await engine.close();
    return { 'CPU %': (100 * (used.user + used.system)) / elapsedUs };
  };
  return await measure({
    name: 'waiting tasks',
    conditions: `each looks again every ${WAIT_MS / 1000} s; one worker watched for ${WATCHED_MS / 1000} s; MariaDB`,
    rounds: 1,
    warmUp: false,
    contenders: [
      { name: 'none', run: watch },
      {
        name: `${WAITING} waiting`,
        run: async () => {
          for (let index = 0; index < WAITING; index += 1) await fileBuild(catalog, await newInstance(catalog));
          return await watch();
        },
      },
    ],
  });
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

function waitingKind(): TaskKind {
  const run: Step['run'] = async () => ({ wait: { ms: WAIT_MS } });
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
