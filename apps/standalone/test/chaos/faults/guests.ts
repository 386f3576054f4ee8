import { setTimeout as delay } from 'node:timers/promises';
import type { InstanceRow, TaskRow } from '@trove/catalog';
import { fileRotation } from '@trove/taskmanager';
import { oneOf, type Random } from '@trove/testkit';
import type { Ground } from '../ground.ts';
import { guestPids, guestPidsOf, Snapshot, signalGuest } from '../guests.ts';
import { manage } from '../manage.ts';
import { type Fault, type Hands, HOUR_MS, SECOND } from './fault.ts';
import { OwnInstance, until } from './own_instance.ts';

/** Of the agents beside the databases. */
export const GUEST_FAULTS: readonly Fault[] = [
  {
    name: 'all guests reconnect at once',
    seconds: 1,
    apply: async ({ ground }) => ground.proxies.broker.guests.cut(),
  },
  {
    name: 'kill -9 of guests in whatever they do',
    seconds: 6,
    async apply({ ground, random }) {
      for (let left = 4; left > 0; left -= 1) {
        const pids = guestPids(ground.folder);
        if (pids.length > 0) signalGuest(oneOf(random, pids), 'SIGKILL');
        await delay(1.5 * SECOND);
      }
    },
  },
  {
    name: 'a guest stopped for a while',
    seconds: 10,
    async apply({ ground, random }) {
      const pids = guestPids(ground.folder);
      if (pids.length === 0) return;
      const pid = oneOf(random, pids);
      signalGuest(pid, 'SIGSTOP');
      await delay(10 * SECOND);
      signalGuest(pid, 'SIGCONT');
    },
  },
  {
    name: 'clocks of guests two hours off',
    seconds: 20,
    async apply({ ground, random }) {
      ground.trouble({ guestClockMs: oneOf(random, [2 * HOUR_MS, -2 * HOUR_MS]) });
      for (const pid of guestPids(ground.folder).slice(0, 3)) signalGuest(pid, 'SIGKILL');
      await delay(20 * SECOND);
      ground.trouble({});
    },
  },
  {
    name: 'kill -9 of guests that are being prepared',
    seconds: 10,
    apply: ({ ground, random }) => killAtWork(ground, random, { kind: 'create_instance', step: 'prepare' }),
  },
  {
    name: 'kill -9 of guests whose key is being changed',
    seconds: 10,
    apply: ({ ground, random }) => killAtWork(ground, random, { kind: 'rotate_key' }, () => rotateAny(ground, random)),
  },
  {
    name: 'messages to and from guests lost, twice, late and out of order',
    seconds: 12,
    async apply({ ground }) {
      ground.trouble({ guestMessages: 0.1 });
      await delay(12 * SECOND);
      ground.trouble({});
    },
  },
  {
    name: 'a guest restored from a snapshot of earlier',
    seconds: 40,
    lasting: true,
    apply: restoreGuest,
  },
  {
    name: 'a guest cloned, until an operator ends the clone',
    seconds: 60,
    lasting: true,
    apply: cloneGuest,
  },
];

const AT_ONCE = 4;
/** For each thing that is waited for; on a machine that keeps up it is a few seconds. */
const WITHIN_S = 60;
/** Two boots that alternate within a minute are two guests; less what a look takes. */
const TURNS_COUNT_WITHIN_S = 50;

/** Each guest once for each such task, at whatever it has come to; `begin` files one where there are few. */
async function killAtWork(
  { catalog, folder }: Ground,
  random: Random,
  which: Partial<Pick<TaskRow, 'kind' | 'step'>>,
  begin: () => Promise<void> = async () => {},
): Promise<void> {
  const end = performance.now() + 9 * SECOND;
  const killed = new Set<string>();
  while (performance.now() < end) {
    const tasks = await catalog
      .knex<TaskRow>('tasks')
      .where(which)
      .whereIn('state', ['pending', 'running', 'waiting'])
      .select('id', 'instance_id');
    for (const { id, instance_id } of tasks.filter((task) => !killed.has(task.id))) {
      killed.add(id);
      await delay(random() * 300);
      for (const pid of guestPidsOf(folder, instance_id)) signalGuest(pid, 'SIGKILL');
    }
    if (tasks.length < AT_ONCE) await begin();
    await delay(100);
  }
  if (killed.size === 0) throw new Error('nobody was at it');
}

/** One that serves and that nobody works on. */
async function rotateAny({ catalog }: Ground, random: Random): Promise<void> {
  const ids = await catalog
    .knex<InstanceRow>('instances')
    .where({ deleted: 0, server_status: 'ACTIVE', task_id: 1, rpc_policy: 2, active_task_id: null })
    .orderBy('created')
    .pluck('id');
  // Somebody may have begun something with it since.
  if (ids.length > 0) await fileRotation(catalog, oneOf(random, ids)).catch(() => undefined);
}

/** All of a server's disks as they were: what its agent has counted, kept and promised since is forgotten. */
async function restoreGuest({ ground }: Hands): Promise<void> {
  const own = await OwnInstance.create(ground, WITHIN_S);
  const snapshot = new Snapshot(ground, own.id);
  await own.act({ restart: {} });
  await own.untilActive(WITHIN_S);
  const [pid] = guestPidsOf(ground.folder, own.id);
  if (pid === undefined) throw new Error(`instance ${own.id} has no agent now`);
  // Stopped, so that nobody starts it anew between the two.
  signalGuest(pid, 'SIGSTOP');
  snapshot.putBack();
  const { boot } = await own.reports();
  signalGuest(pid, 'SIGKILL');
  await until(`the restored guest of ${own.id} is known`, WITHIN_S, async () => (await own.reports()).boot !== boot);
}

/**
 * Two servers with one identity, of which now one and now the other reaches the broker. Nobody may believe either; once the
 * clone has ended and the quarantine is lifted, the first serves again.
 */
async function cloneGuest({ ground, broker }: Hands): Promise<void> {
  const own = await OwnInstance.create(ground, WITHIN_S);
  const [first] = guestPidsOf(ground.folder, own.id);
  if (first === undefined) throw new Error(`instance ${own.id} has no agent now`);
  const { boot } = await own.reports();
  const clone = new Snapshot(ground, own.id).startClone(ground.folder);
  try {
    signalGuest(first, 'SIGSTOP');
    await broker.disconnect(`guest-${own.id}`);
    await until(`the clone of ${own.id} is heard`, WITHIN_S, async () => (await own.reports()).boot !== boot);
    signalGuest(clone, 'SIGSTOP');
    signalGuest(first, 'SIGCONT');
    await broker.disconnect(`guest-${own.id}`);
    const since = performance.now();
    await until(`the first of ${own.id} is heard again`, WITHIN_S, async () => {
      const now = await own.reports();
      return now.quarantined || now.boot === boot;
    });
    const isSoon = performance.now() - since < TURNS_COUNT_WITHIN_S * SECOND;
    if (isSoon && !(await own.reports()).quarantined)
      ground.notHeld.push(`two guests took turns for ${own.id}, and nobody found out`);
  } finally {
    signalGuest(clone, 'SIGKILL');
    signalGuest(first, 'SIGCONT');
  }
  if (!(await manage(ground, 'quarantine', 'list')).includes(own.id)) return;
  await manage(ground, 'quarantine', 'lift', own.id);
  const serves = async (): Promise<boolean> => (await own.reports()).boot !== null;
  await until(`the guest of ${own.id} is known again`, WITHIN_S, serves);
}
