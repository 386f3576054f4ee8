import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TaskRow, type TaskStepRow, withTransaction } from '@trove/catalog';
import { type TestCatalog, testCatalog } from '@trove/catalog/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  buildTask,
  ended,
  fileBuild,
  fileRemove,
  instanceOf,
  newInstance,
  removeTask,
  taskOf,
  until,
} from '../../test/house.ts';
import { type BuildPlan, buildKind, MADE, removeKind } from '../../test/kinds.ts';
import { giveOrder, type Order, ordersLeft } from '../../test/orders.ts';
import { WorkerPool } from '../../test/worker_pool.ts';
import { FolderWorld } from '../../test/world.ts';
import { fileDelete } from '../filing/file_delete.ts';
import { fileTask } from '../filing/file_task.ts';
import type { TaskKind } from '../types.ts';
import type { FaultPoint } from './options.ts';

const LEASE_MS = 1500;
type Boundary = Pick<FaultPoint, 'step' | 'at'>;

let catalog: TestCatalog;
let folder: string;
let ordersFolder: string;
let world: FolderWorld;
let workers: WorkerPool;

beforeAll(async () => {
  catalog = await testCatalog('mysql');
  folder = await mkdtemp(join(tmpdir(), 'trove-tasks-'));
  const worldFolder = join(folder, 'world');
  ordersFolder = join(folder, 'orders');
  await mkdir(worldFolder);
  await mkdir(ordersFolder);
  world = new FolderWorld(worldFolder);
  workers = new WorkerPool(3, { connection: catalog.connection, worldFolder, ordersFolder, leaseMs: LEASE_MS });
});
afterAll(async () => {
  await workers.close();
  await catalog.dispose();
  await rm(folder, { recursive: true });
});

/** Every point before and after an outside call, from the kinds' own steps. */
function boundaries({ steps }: TaskKind, ats: readonly FaultPoint['at'][], undoableOnly: boolean): Boundary[] {
  const task = {
    kind: '',
    id: '',
    instanceId: '',
    projectId: '',
    params: {},
    state: 'pending',
    step: null,
    attempt: 0,
  } as const;
  const all = steps({ ...task, fence: 0n, cancelRequested: false, codeVersion: 1, error: null });
  const used = all.filter((step) => !undoableOnly || step.undo !== undefined);
  return [...used.flatMap(({ name }) => ats.map((at) => ({ step: name, at }))), { step: null, at: 'before_end' }];
}

const nowhere = new FolderWorld('/nowhere');
const RUN = ['before_run', 'after_run'] as const;
const BUILDING = boundaries(buildKind(nowhere), RUN, false);
const UNDOING = boundaries(buildKind(nowhere), ['before_undo', 'after_undo'], true);
const REMOVING = boundaries(removeKind(nowhere), RUN, false);
const FAILS: BuildPlan = { fails: { step: 'wait_ready', when: 'before', times: 9, permanent: true } };

interface Filed {
  instanceId: string;
  taskId: string;
}

/** Files a build and the order in one transaction: no worker sees the task before the order is there. */
async function orderedBuild(boundary: Boundary, order: Order, plan: BuildPlan = {}): Promise<Filed> {
  const instanceId = await newInstance(catalog);
  return await withTransaction(catalog, async (tx) => {
    const { taskId } = await fileTask(tx, buildTask(instanceId, plan));
    giveOrder(ordersFolder, { ...boundary, taskId, kind: 'build' }, order);
    return { instanceId, taskId };
  });
}

async function orderedRemove(boundary: Boundary, order: Order): Promise<Filed> {
  const instanceId = await newInstance(catalog);
  for (const thing of MADE) world.create(instanceId, thing, instanceId);
  return await withTransaction(catalog, async (tx) => {
    const { taskId } = await fileDelete(tx, removeTask(instanceId));
    giveOrder(ordersFolder, { ...boundary, taskId, kind: 'remove' }, order);
    return { instanceId, taskId };
  });
}

function effects(instanceId: string): string[] {
  return world.changes().filter((line) => line.startsWith(instanceId));
}

async function checkEnd({ instanceId, taskId }: Filed, state: string, things: number): Promise<void> {
  const task = await ended(catalog, taskId, 140_000);
  expect(task.state).toBe(state);
  expect(await instanceOf(catalog, instanceId)).toMatchObject({ active_task_id: null, volume_size: 1 });
  expect(world.things(instanceId)).toHaveLength(things);
  expect(new Set(effects(instanceId)).size).toBe(effects(instanceId).length);
}

describe('three worker processes on MariaDB', () => {
  it('killed at each boundary of a build, an undo and a removal, lose nothing and do nothing twice', {
    timeout: 150_000,
  }, async () => {
    const built = await Promise.all(BUILDING.map((boundary) => orderedBuild(boundary, 'SIGKILL')));
    const undone = await Promise.all(UNDOING.map((boundary) => orderedBuild(boundary, 'SIGKILL', FAILS)));
    const removed = await Promise.all(REMOVING.map((boundary) => orderedRemove(boundary, 'SIGKILL')));
    for (const filed of built) await checkEnd(filed, 'done', 4);
    for (const filed of undone) await checkEnd(filed, 'failed', 0);
    for (const filed of removed) await checkEnd(filed, 'done', 0);
    expect(ordersLeft(ordersFolder)).toBe(0);
    expect(workers.killed).toBe(BUILDING.length + UNDOING.length + REMOVING.length);
  });

  it.each([
    { step: 'make_volume', at: 'before_run', plan: {}, things: 4 },
    { step: 'make_server', at: 'after_run', plan: {}, things: 4 },
    { step: 'make_volume', at: 'before_undo', plan: FAILS, things: 0 },
    { step: null, at: 'before_end', plan: {}, things: 4 },
  ] as const)(
    'a worker stopped past its lease at $step $at changes nothing when it continues',
    { timeout: 60_000 },
    async (row) => {
      const filed = await orderedBuild({ step: row.step, at: row.at }, 'SIGSTOP', row.plan);
      const stopped = await until('a stopped worker', async () => workers.pids.find((pid) => isStopped(pid)), 40_000);
      await ended(catalog, filed.taskId, 40_000);
      const before = await everything(filed);
      expect(world.things(filed.instanceId)).toHaveLength(row.things);
      process.kill(stopped, 'SIGCONT');
      await until('the zombie to let go', async () => letGo(stopped, filed.taskId), 10_000);
      expect(await everything(filed)).toEqual(before);
      expect((await instanceOf(catalog, filed.instanceId)).volume_size).toBe(1);
    },
  );

  it('a worker killed inside a call far longer than its lease holds others up for one lease, and nothing is asked twice', {
    timeout: 60_000,
  }, async () => {
    const killedBefore = workers.killed;
    const instanceId = await newInstance(catalog);
    const { taskId } = await fileBuild(catalog, instanceId, {}, { kind: 'ask' });
    await until('the question', async () => world.things(instanceId).length === 1);
    const first = await taskOf(catalog, taskId);
    process.kill(Number(first.lease_owner?.replace('worker-', '')), 'SIGKILL');
    await until('the death', async () => workers.killed > killedBefore);
    await until('the next holder to wait', async () => (await taskOf(catalog, taskId)).state === 'waiting');
    world.create(instanceId, 'answer', instanceId);
    const last = await ended(catalog, taskId, 40_000);
    expect(last.state).toBe('done');
    expect(Number(last.fence)).toBeGreaterThan(Number(first.fence));
    expect((await stepRows(taskId)).map(({ output }) => output)).toEqual(['{"noted":"sent"}']);
    expect(effects(instanceId).filter((line) => line.includes('question'))).toHaveLength(1);
  });

  it('a dead holder is compensated before the delete that waits for it runs', { timeout: 60_000 }, async () => {
    const killedBefore = workers.killed;
    const { instanceId, taskId } = await orderedBuild({ step: 'make_server', at: 'after_run' }, 'SIGKILL');
    await until('the death', async () => workers.killed > killedBefore);
    const removal = await fileRemove(catalog, instanceId);
    expect((await fileRemove(catalog, instanceId)).taskId).toBe(removal.taskId);
    expect((await ended(catalog, removal.taskId, 40_000)).state).toBe('done');
    expect((await taskOf(catalog, taskId)).state).toBe('cancelled');
    const order = effects(instanceId).map((line) => line.split(' ').slice(1, 3).join(' '));
    expect(order).toEqual([
      ...MADE.map((thing) => `create ${thing}`),
      ...MADE.toReversed().map((thing) => `remove ${thing}`),
    ]);
    const undone = await stepRows(taskId);
    const dropped = await stepRows(removal.taskId);
    const lastUndo = Math.max(...undone.map(({ finished }) => Number(finished)));
    expect(Math.min(...dropped.map(({ started }) => Number(started)))).toBeGreaterThanOrEqual(lastUndo);
  });

  it('share many tasks while deletes come at any moment; each ends and no slot has two holders', {
    timeout: 60_000,
  }, async () => {
    const loggedBefore = workers.output.length;
    const filed = await Promise.all(
      Array.from({ length: 45 }, async (_, index) => {
        const instanceId = await newInstance(catalog);
        const { taskId } = await fileBuild(catalog, instanceId, index % 3 === 0 ? { wait_ms: 200 } : {});
        if (index % 3 === 0 && index % 2 === 0) world.create(instanceId, 'ready', instanceId);
        if (index % 3 === 2) return { instanceId, taskId, removal: undefined };
        await new Promise((resolve) => setTimeout(resolve, index * 17));
        return { instanceId, taskId, removal: (await fileRemove(catalog, instanceId)).taskId };
      }),
    );
    for (const { instanceId, taskId, removal } of filed) {
      const states = [
        (await ended(catalog, taskId, 40_000)).state,
        removal && (await ended(catalog, removal, 40_000)).state,
      ];
      expect([
        ['done', undefined],
        ['done', 'done'],
        ['cancelled', 'done'],
      ]).toContainEqual(states);
      expect(world.things(instanceId).filter((name) => !name.startsWith('ready.'))).toHaveLength(removal ? 0 : 4);
      expect(new Set(effects(instanceId)).size).toBe(effects(instanceId).length);
      if (removal !== undefined) await checkOneAfterTheOther(taskId, removal);
    }
    const taken = workers.output.slice(loggedBefore).matchAll(/"pid":(\d+),[^\n]*"message":"task taken"/g);
    expect(new Set([...taken].map(([, pid]) => pid)).size).toBeGreaterThanOrEqual(2);
  });
});

async function stepRows(taskId: string): Promise<TaskStepRow[]> {
  return await catalog.knex<TaskStepRow>('task_steps').where({ task_id: taskId }).select();
}

async function checkOneAfterTheOther(first: string, second: string): Promise<void> {
  const firstEnd = Math.max(...(await stepRows(first)).map(({ finished }) => Number(finished ?? 0)));
  const secondStart = Math.min(...(await stepRows(second)).map(({ started }) => Number(started)));
  expect(secondStart).toBeGreaterThanOrEqual(firstEnd);
}

/** All that a zombie could have changed. */
async function everything({ instanceId, taskId }: Filed): Promise<unknown> {
  const task = await catalog.knex<TaskRow>('tasks').where({ id: taskId }).first();
  return {
    task,
    steps: await stepRows(taskId),
    instance: await instanceOf(catalog, instanceId),
    effects: effects(instanceId),
  };
}

function isStopped(pid: number): boolean {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.startsWith('T') === true;
}

function letGo(pid: number, taskId: string): boolean {
  const lines = workers.output.split('\n').filter((line) => line.includes(`"pid":${pid},`) && line.includes(taskId));
  return lines.some((line) => line.includes('task let go: its lease is lost'));
}
