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
    name: 'kill -9 of guests whose key is being changed',
    seconds: 10,
    apply: ({ ground, random }) => killWhileRotating(ground, random, 9),
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
    seconds: 70,
    lasting: true,
    apply: restoreGuest,
  },
  {
    name: 'a guest cloned, until an operator ends the clone',
    seconds: 110,
    lasting: true,
    apply: cloneGuest,
  },
];

const AT_ONCE = 4;

/** Changes the keys of some, and kills each guest once at whatever step its change has come to. */
async function killWhileRotating({ catalog, folder }: Ground, random: Random, seconds: number): Promise<void> {
  const end = performance.now() + seconds * SECOND;
  const killed = new Set<string>();
  while (performance.now() < end) {
    const rotations = await catalog
      .knex<TaskRow>('tasks')
      .where({ kind: 'rotate_key' })
      .whereIn('state', ['pending', 'running', 'waiting'])
      .select('id', 'instance_id');
    for (const { id, instance_id } of rotations.filter((task) => !killed.has(task.id))) {
      killed.add(id);
      await delay(random() * 300);
      for (const pid of guestPidsOf(folder, instance_id)) signalGuest(pid, 'SIGKILL');
    }
    if (rotations.length < AT_ONCE) await rotateAny({ catalog }, random);
    await delay(100);
  }
  if (killed.size === 0) throw new Error('no key was being changed');
}

/** One that serves and that nobody works on. */
async function rotateAny({ catalog }: Pick<Ground, 'catalog'>, random: Random): Promise<void> {
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
  const own = await OwnInstance.create(ground, 30);
  const snapshot = new Snapshot(ground, own.id);
  await own.act({ restart: {} });
  await own.untilActive(20);
  const [pid] = guestPidsOf(ground.folder, own.id);
  if (pid === undefined) throw new Error(`instance ${own.id} has no agent now`);
  // Stopped, so that nobody starts it anew between the two.
  signalGuest(pid, 'SIGSTOP');
  snapshot.putBack();
  const { boot } = await own.reports();
  signalGuest(pid, 'SIGKILL');
  await until(`the restored guest of ${own.id} is known`, 20, async () => (await own.reports()).boot !== boot);
}

/**
 * Two servers with one identity, of which now one and now the other reaches the broker. Nobody may believe either; once the
 * clone has ended and the quarantine is lifted, the first serves again.
 */
async function cloneGuest({ ground, broker }: Hands): Promise<void> {
  const own = await OwnInstance.create(ground, 30);
  const [first] = guestPidsOf(ground.folder, own.id);
  if (first === undefined) throw new Error(`instance ${own.id} has no agent now`);
  const { boot } = await own.reports();
  const clone = new Snapshot(ground, own.id).startClone(ground.folder);
  try {
    signalGuest(first, 'SIGSTOP');
    await broker.disconnect(`guest-${own.id}`);
    await until(`the clone of ${own.id} is heard`, 25, async () => (await own.reports()).boot !== boot);
    signalGuest(clone, 'SIGSTOP');
    signalGuest(first, 'SIGCONT');
    await broker.disconnect(`guest-${own.id}`);
    const isFound = async (): Promise<boolean> => (await own.reports()).quarantined;
    await until(`the clone of ${own.id} is found out`, 30, isFound).catch((error: unknown) => {
      ground.notHeld.push(`two guests took turns: ${String(error)}`);
    });
  } finally {
    signalGuest(clone, 'SIGKILL');
    signalGuest(first, 'SIGCONT');
  }
  if (!(await manage(ground, 'quarantine', 'list')).includes(own.id)) return;
  await manage(ground, 'quarantine', 'lift', own.id);
  const serves = async (): Promise<boolean> => (await own.reports()).boot !== null;
  await until(`the guest of ${own.id} is known again`, 20, serves);
}
