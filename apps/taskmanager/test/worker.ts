import { createKeyStore } from '@trove/catalog';
import { silentLogger, systemClock } from '@trove/common';
import { createGuestClient } from '@trove/crypto-rpc';
import { createTaskEngine, type TaskEngineOptions } from '@trove/tasks';
import { type Boundary, withBoundaries } from '@trove/testkit';
import { createBrokerAccounts } from '../src/broker/broker_accounts.ts';
import { readDeploymentId } from '../src/deployment_id.ts';
import { createGuestHello } from '../src/guests/guest_hello.ts';
import { createGuestKeys } from '../src/guests/guest_keys.ts';
import { Unheard } from '../src/tasks/shared/ask_guest.ts';
import { Knocks } from '../src/tasks/shared/knocks.ts';
import { Restarts } from '../src/tasks/shared/restarts.ts';
import type { TaskTools } from '../src/tasks/shared/tools.ts';
import { taskKinds } from '../src/tasks/task_kinds.ts';
import { CONTROL_RING, GUEST_TRANSPORT, type House, SETTINGS } from './house.ts';

type Faults = NonNullable<TaskEngineOptions['faults']>;

export interface WorkerOptions {
  /** The switch; default true. */
  readonly secure?: boolean | undefined;
  /** Before and after every call to compute, guest and broker, and every transaction. */
  readonly visit?: (boundary: Boundary) => void | Promise<void>;
  readonly faults?: Faults;
}

export interface Workers {
  /** Another one, at work when this returns. */
  open(options?: WorkerOptions): Worker;
  /** What was cached of the guest by one that has died is what no other process has. */
  forget(instanceId: string): void;
  close(): Promise<void>;
}

export interface Worker {
  /** Gives up what it is at. */
  close(): Promise<void>;
}

/** Of a taskmanager what works on tasks, and no more: so cheap that they can die by the thousand. */
export function openWorkers(house: House): Workers {
  const { rings, bus } = house;
  const keyStore = createKeyStore(house.catalog, rings, { role: 'taskmanager' });
  const buses = { sealedBus: bus, legacyBus: bus };
  const client = createGuestClient({ ...buses, keyStore, controlExchange: 'trove', logger: silentLogger });
  const open = new Set<Worker>();
  let count = 0;
  return {
    open({ secure = true, visit = () => undefined, faults = () => undefined } = {}) {
      const catalog = { ...house.catalog, knex: withBoundaries(house.catalog.knex, visit, ['transaction']) };
      const guests = withBoundaries(client, visit);
      const keys = createGuestKeys({ catalog, rings, keyStore });
      const tools: TaskTools = {
        ...{ catalog, guests, keys, clock: systemClock, controlRing: CONTROL_RING },
        ...{ unheard: new Unheard(), knocks: new Knocks(), restarts: new Restarts() },
        compute: withBoundaries(house.world, visit),
        accounts: createBrokerAccounts(withBoundaries(house.admin, visit), () => readDeploymentId(house.catalog)),
        hello: createGuestHello({ catalog, guests, keys, logger: silentLogger }),
        settings: {
          secureMessaging: secure,
          lowMs: SETTINGS.agent_call_low_timeout * 1000,
          highMs: SETTINGS.agent_call_high_timeout * 1000,
          reportIntervalMs: SETTINGS.report_interval * 1000,
          agent: {
            transportUrl: GUEST_TRANSPORT.clear,
            sealedTransportUrl: GUEST_TRANSPORT.sealed,
            controlExchange: SETTINGS.control_exchange,
            conductorQueue: SETTINGS.conductor_queue,
            reportIntervalSeconds: SETTINGS.report_interval,
          },
        },
        deploymentId: () => readDeploymentId(house.catalog),
      };
      count += 1;
      const engine = createTaskEngine({
        ...{ catalog, kinds: taskKinds(tools), owner: `worker ${count}`, logger: silentLogger },
        ...{ faults, pollMs: { min: 100, max: 200 }, graceMs: 10 },
      });
      engine.start();
      const worker = { close: () => engine.close().finally(() => open.delete(worker)) };
      open.add(worker);
      return worker;
    },
    forget: (instanceId) => keyStore.forget(instanceId),
    async close() {
      await Promise.all([...open].map((worker) => worker.close()));
      await client.close();
    },
  };
}

/** A method that changes nothing: whoever dies around it leaves what was there before. */
export function onlyReads(method: string): boolean {
  return /^(find|get|list|read|has|flavors|images|hosts|volumeSize|injectedFiles)/.test(method);
}
