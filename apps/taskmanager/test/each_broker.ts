import { newUuid, Secret, silentLogger } from '@trove/common';
import { type Bus, createAmqpBus, createMemoryBroker, guestAccount, type PasswordChoice } from '@trove/crypto-rpc';
import { testBroker } from '@trove/testkit';
import type { BrokerAdmin } from '../src/broker/broker_admin.ts';
import { createMemoryAdmin } from '../src/broker/memory_admin.ts';
import { createRabbitmqAdmin } from '../src/broker/rabbitmq_admin.ts';

/** The deployment of accounts in tests without a catalog. */
export const DEPLOYMENT = newUuid();

/** A broker of either kind, to be entered by account. */
export interface WalledBroker {
  readonly admin: BrokerAdmin;
  /** A connection of the control plane. */
  readonly service: Bus;
  /** A guest's connection; it may never stand. */
  login(instanceId: string, password: Secret, passwords?: PasswordChoice): Promise<Bus>;
  dispose(): Promise<void>;
}

export const WALLED_BROKERS: readonly (readonly [string, () => Promise<WalledBroker>])[] = [
  ['in memory', memory],
  ['on RabbitMQ', rabbitmq],
];

async function memory(): Promise<WalledBroker> {
  const broker = createMemoryBroker();
  const admin = createMemoryAdmin(broker);
  const buses: Bus[] = [];
  const open = (login?: Parameters<typeof broker.bus>[0]): Bus => {
    const bus = broker.bus(login);
    buses.push(bus);
    return bus;
  };
  return {
    admin,
    service: open(),
    login: async (instanceId, password, passwords) =>
      open({ user: guestAccount(instanceId), secret: password, passwords }),
    dispose: async () => {
      await Promise.all([...buses.map((bus) => bus.close()), admin.close()]);
    },
  };
}

async function rabbitmq(): Promise<WalledBroker> {
  const broker = await testBroker();
  const admin = createRabbitmqAdmin({
    managementUrl: new Secret(broker.managementUrl),
    vhost: broker.vhost,
    fetch,
  });
  const buses: Bus[] = [];
  const open = async (url: string, passwords?: PasswordChoice): Promise<Bus> => {
    const bus = await createAmqpBus({
      passwords,
      transportUrl: new Secret(url),
      connectionName: `test-${newUuid()}`,
      logger: silentLogger,
    });
    buses.push(bus);
    return bus;
  };
  return {
    admin,
    service: await open(broker.url),
    login: (instanceId, password, passwords) => open(guestUrl(broker.url, instanceId, password), passwords),
    dispose: async () => {
      await Promise.all(buses.map((bus) => bus.close()));
      await broker.dispose();
    },
  };
}

/** The broker's URL for a guest's account. */
export function guestUrl(url: string, instanceId: string, password: Secret): string {
  const changed = new URL(url);
  changed.username = guestAccount(instanceId);
  changed.password = password.reveal();
  return changed.href;
}
