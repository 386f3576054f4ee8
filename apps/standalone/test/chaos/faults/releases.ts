import { setTimeout as delay } from 'node:timers/promises';
import { dbNow, type TaskRow, UNFINISHED_STATES } from '@trove/catalog';
import type { Ground } from '../ground.ts';
import { isOfRelease } from '../inside/later_release.ts';
import type { Service } from '../service.ts';
import { type Fault, type Hands, SECOND } from './fault.ts';

/** Of the services' code, while tasks are under way. */
export const RELEASE_FAULTS: readonly Fault[] = [
  {
    name: 'kill -9 of all taskmanagers, started again with newer code',
    seconds: 8,
    apply: killIntoNext,
  },
  {
    name: 'newer code rolled out, service by service',
    seconds: 75,
    apply: rollOut,
  },
  {
    name: 'newer code rolled out, taken back with its tasks under way, and rolled out again',
    seconds: 100,
    lasting: true,
    apply: rollBack,
  },
];

const READY_WITHIN_S = 180;
const MIXED_S = 4;
/** In which the services of the older release find out that nobody takes what they do not know: two polls, one more, and room. */
const STANDS_STILL_S = 24;
const SEEN_AFTER_S = 20;

/** Apis after them, as they come. */
async function killIntoNext({ ground }: Hands): Promise<void> {
  const next = nextRelease(ground);
  for (const service of ground.services) service.install(next);
  for (const service of ground.servicesOf('taskmanager')) service.kill();
  for (const api of ground.servicesOf('api')) {
    await delay(3 * SECOND);
    api.kill();
  }
  for (const conductor of ground.servicesOf('conductor')) conductor.restart();
}

/** As docs/operations.md says, or, as an operator may do, the apis first: what they file then stands still for a while. */
async function rollOut({ ground, random }: Hands): Promise<void> {
  const order = ['conductor', 'taskmanager', 'api'] as const;
  const next = nextRelease(ground);
  const services = (random() < 0.7 ? order : order.toReversed()).flatMap((role) => ground.servicesOf(role));
  try {
    for (const service of services) {
      await bring([service], next, random() < 0.3);
      await delay(MIXED_S * SECOND);
    }
  } finally {
    await bring(services, next, false);
  }
}

/** What the newer release has begun has to stand still where everybody sees it, and nothing of it may end, until that is back. */
async function rollBack({ ground, random }: Hands): Promise<void> {
  const [old, next] = [nextRelease(ground) - 1, nextRelease(ground)];
  const [, ...taskmanagers] = ground.servicesOf('taskmanager');
  const apis = ground.servicesOf('api');
  try {
    await bring([...taskmanagers, ...apis], next, random() < 0.5);
    await delay(2 * MIXED_S * SECOND);
    await bring([...taskmanagers, ...apis], old, random() < 0.3);
    await standsStill(ground, old);
  } finally {
    await bring(ground.services, next, random() < 0.5);
  }
}

async function standsStill(ground: Ground, release: number): Promise<void> {
  const { notHeld } = ground;
  const before = await unknownTo(ground, release);
  await delay(STANDS_STILL_S * SECOND);
  const after = new Map((await unknownTo(ground, release)).map((task) => [task.id, task]));
  for (const { id, kind } of before) {
    const task = after.get(id);
    if (task === undefined) notHeld.push(`${kind} ${id} has ended by a release that does not know it`);
    else if (task.due_for > SEEN_AFTER_S * 1e6 && !(await shown(ground, task)).startsWith('Parked: '))
      notHeld.push(`${kind} ${id} stands still, and its tenant does not see why`);
  }
}

/** What its tenant sees of the task's error. */
async function shown({ apiUrls, token }: Ground, { id, instance_id }: TaskRow): Promise<string> {
  const headers = { 'x-auth-token': token };
  const response = await fetch(`${apiUrls[0]}/instances/${instance_id}/tasks/${id}`, { headers });
  const { task } = (await response.json()) as { task?: { error?: { message: string } } };
  return task?.error?.message ?? '';
}

/** Those that hold a slot and that this release does not know; microseconds for which nobody has taken them. */
async function unknownTo({ catalog }: Ground, release: number): Promise<readonly (TaskRow & { due_for: number })[]> {
  const { knex } = catalog;
  const dueFor = knex.raw('CAST(? - COALESCE(tasks.wake_at, tasks.lease_until, tasks.updated) AS DOUBLE) AS due_for', [
    dbNow(knex),
  ]);
  const holders: (TaskRow & { due_for: number })[] = await knex<TaskRow>('tasks')
    .join('instances', 'instances.active_task_id', 'tasks.id')
    .whereIn('tasks.state', UNFINISHED_STATES)
    .select('tasks.*', dueFor);
  return holders.filter((task) => !isOfRelease(task, release));
}

function nextRelease({ services }: Ground): number {
  return Math.max(...services.map(({ release }) => release)) + 1;
}

/** Those that are of another, all at a time; drained, or as an impatient operator does it. */
async function bring(services: readonly Service[], release: number, isKilled: boolean): Promise<void> {
  const others = services.filter((service) => service.release !== release);
  const ready = others.map(async (service) => {
    service.install(release);
    if (!(await service.renew(READY_WITHIN_S * SECOND, isKilled)))
      throw new Error(`${service.name} is not ready again`);
  });
  await Promise.all(ready);
}
