import { type Catalog, dbNow, ensureReportRow, withTransaction } from '@trove/catalog';
import { accountOfUrl, isTroveError, Secret, silentLogger, TroveError } from '@trove/common';
import { SERVICE_STATUSES } from '@trove/contracts';
import { type Bus, createGuestServer, type GuestHandlers, type MemoryBroker } from '@trove/crypto-rpc';
import { wakeInstances } from '@trove/tasks';
import { FakeFiles, type FilesHolder, type WritePoint } from './fake_files.ts';

/** What a volume keeps: whether a database was made on it, and the requests that took effect. */
export interface Volume {
  id: string;
  prepared: boolean;
  data: string;
  effects: string[];
}

export interface GuestFaults {
  /** Methods that fail, with what the guest says; `start`: the database does not come up with its server. */
  readonly fail: Map<string, string>;
  /** The agent is never there. */
  deaf: boolean;
  /** How often one in clear reports how its database is; absent: only when something is done. */
  reportsEveryMs?: number;
  /** Methods in clear that take so many milliseconds. */
  readonly takes: Map<string, number>;
  /** Methods that guests are at. */
  atWork: number;
  /** Asked around each change of its files, and before an answer goes out: true, and it is as if its process had been killed there. */
  dies?: ((point: WritePoint | 'answer') => boolean) | undefined;
  /** True: what it sends now does not arrive. */
  loses?: (() => boolean) | undefined;
}

export interface FakeGuest {
  close(): Promise<void>;
}

/** An agent as the injected files alone make it, on the real RPC server; its database is a word on its volume. */
export async function startFakeGuest(deps: {
  broker: MemoryBroker;
  catalog: Catalog;
  server: FilesHolder;
  volume: Volume;
  faults: GuestFaults;
  calls: string[];
  /** It was killed. */
  onDied: () => void;
}): Promise<FakeGuest | undefined> {
  const { broker, volume, faults, calls, catalog } = deps;
  if (faults.deaf) return undefined;
  let dead = false;
  let begun = volume.prepared;
  const die = (): never => {
    dead = true;
    deps.onDied();
    throw new Error('killed');
  };
  const files = new FakeFiles(deps.server, (point) => {
    if (faults.dies?.(point)) die();
  });
  const instanceId = files.option('guest_id') ?? '';
  const key = files.option('instance_rpc_encr_key');
  const account = accountOfUrl(new Secret(files.option('sealed_transport_url') ?? ''));
  const login = account && { user: account.user, secret: account.password, passwords: files.passwords() };
  const connection = broker.bus(login);
  const bus: Bus = {
    get state() {
      return connection.state;
    },
    declare: (...args) => connection.declare(...args),
    async publish(publication) {
      if (dead || faults.dies?.('answer')) die();
      if (faults.loses?.()) return;
      await connection.publish(publication);
    },
    consume: (...args) => connection.consume(...args),
    deleteQueue: (name) => connection.deleteQueue(name),
    onConnected: (listener) => connection.onConnected(listener),
    close: () => connection.close(),
  };
  const outcomes = new Map<string, 'done' | 'failed'>();

  const take = (method: string, idempotencyKey: string | null, effect: () => void): void => {
    calls.push(`${key === undefined ? 'clear' : 'sealed'} ${method}`);
    const failure = faults.fail.get(method);
    if (failure !== undefined) throw new TroveError('GUEST_ERROR', failure);
    if (idempotencyKey !== null && volume.effects.includes(idempotencyKey)) return;
    effect();
    if (idempotencyKey !== null) volume.effects.push(idempotencyKey);
  };

  const say = async (status: 'NEW' | 'HEALTHY' | 'FAILED'): Promise<void> => {
    const { code, description } = SERVICE_STATUSES[status];
    await catalog
      .knex('service_statuses')
      .where({ instance_id: instanceId })
      .update({ status_id: code, status_description: description });
    // As the conductor does with each report.
    await withTransaction(catalog, async (tx) => {
      if (key === undefined) {
        await ensureReportRow(tx, instanceId);
        await tx('instance_reports')
          .where({ instance_id: instanceId })
          .update({ received_at: dbNow(tx) });
      }
      await wakeInstances(tx, [instanceId]);
    });
  };

  /** Each is counted while it is at work, and takes its time. */
  const working = (handlers: GuestHandlers): GuestHandlers => {
    const all: Record<string, (...args: never[]) => Promise<unknown>> = { ...handlers };
    const counted = Object.entries(all).map(([name, handle]) => [
      name,
      async (...args: never[]): Promise<unknown> => {
        faults.atWork += 1;
        try {
          const ms = key === undefined ? faults.takes.get(name) : undefined;
          if (ms !== undefined) await new Promise((resolve) => setTimeout(resolve, ms));
          return await handle(...args);
        } finally {
          faults.atWork -= 1;
        }
      },
    ]);
    return Object.fromEntries(counted) as GuestHandlers;
  };

  const server = createGuestServer({
    bus,
    instanceId,
    controlExchange: 'trove',
    ...(account !== undefined && { account: account.user }),
    logger: silentLogger,
    ...(key !== undefined && { keys: files }),
    handlers: working({
      rpc_ping: async () => true,
      prepare: async (args, caller) => {
        const id = caller.idempotencyKey ?? 'legacy';
        begun = true;
        try {
          take('prepare', caller.idempotencyKey, () => {
            volume.prepared = true;
            volume.data = args.users.map((user) => `${user._name}:${user._password}`).join(',');
          });
          outcomes.set(id, 'done');
        } catch (error) {
          if (!isTroveError(error)) throw error;
          outcomes.set(id, 'failed');
        }
        if (key === undefined) await say(outcomes.get(id) === 'done' ? 'HEALTHY' : 'FAILED');
        return { accepted: true };
      },
      get_outcome: async ({ idempotency_key }) => {
        const state = outcomes.get(idempotency_key) ?? (volume.effects.includes(idempotency_key) ? 'done' : 'unknown');
        return state === 'failed' ? { state, error: { code: 'GUEST_ERROR', message: 'initdb failed' } } : { state };
      },
      get_filesystem_stats: async () => ({
        block_size: 1,
        total_blocks: 3,
        free_blocks: 2,
        total: 3,
        free: 2,
        used: 1,
      }),
      create_database: async (args, caller) => {
        take('create_database', caller.idempotencyKey, () => {
          volume.data = [volume.data, ...args.databases.map((database) => database._name)].join(' ').trim();
        });
        return null;
      },
      delete_database: async () => null,
      list_databases: async () => [
        volume.data === '' ? [] : volume.data.split(' ').map((name) => ({ _name: name })),
        null,
      ],
      create_user: async () => null,
      list_users: async () => [[], null],
      restart: async (_args, caller) => {
        take('restart', caller.idempotencyKey, () => undefined);
        await say('HEALTHY');
        return null;
      },
      pre_upgrade: async (_args, caller) => {
        take('pre_upgrade', caller.idempotencyKey, () => undefined);
        return { stopped: true };
      },
      post_upgrade: async (args, caller) => {
        take(`post_upgrade ${JSON.stringify(args.upgrade_info)}`, caller.idempotencyKey, () => undefined);
        await say('HEALTHY');
        return null;
      },
    }),
  });
  await server.start();
  const serves = (): boolean => volume.prepared && !faults.fail.has('start');
  if (serves()) await say('HEALTHY');
  const report = (): void => {
    if (serves() || !begun) void say(begun ? 'HEALTHY' : 'NEW').catch(() => undefined);
  };
  const reports = key === undefined && faults.reportsEveryMs ? setInterval(report, faults.reportsEveryMs) : undefined;
  return {
    async close() {
      clearInterval(reports);
      await server.close();
      await connection.close();
    },
  };
}
