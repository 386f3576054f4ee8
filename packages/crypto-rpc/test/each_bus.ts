import { randomUUID } from 'node:crypto';
import { Secret } from '@trove/common';
import { testBroker } from '@trove/testkit';
import { createAmqpBus } from '../src/bus/amqp_bus.ts';
import type { Bus } from '../src/bus/bus.ts';
import { createMemoryBroker } from '../src/bus/memory_broker.ts';
import { cuttableProxy } from './cuttable_proxy.ts';
import { logger } from './fixtures.ts';

/** A broker of a test's own, of either kind. */
export interface Broker {
  open(): Promise<Bus>;
  /** Cuts every connection; the buses connect again by themselves. */
  cut(): Promise<void>;
  dispose(): Promise<void>;
}

export const BROKERS: readonly (readonly [string, () => Promise<Broker>])[] = [
  ['in memory', memory],
  ['on RabbitMQ', rabbit],
];

async function memory(): Promise<Broker> {
  const broker = createMemoryBroker();
  const buses: Bus[] = [];
  return {
    open: async () => {
      const bus = broker.bus();
      buses.push(bus);
      return bus;
    },
    cut: async () => broker.cut(),
    dispose: async () => {
      await Promise.all(buses.map((bus) => bus.close()));
    },
  };
}

async function rabbit(): Promise<Broker> {
  const broker = await testBroker();
  const proxy = await cuttableProxy(broker.url);
  const buses: Bus[] = [];
  return {
    open: async () => {
      const bus = await createAmqpBus({
        transportUrl: new Secret(proxy.url),
        connectionName: `test-${randomUUID()}`,
        logger,
        waitConnected: true,
      });
      buses.push(bus);
      return bus;
    },
    cut: proxy.cut,
    dispose: async () => {
      await Promise.all(buses.map((bus) => bus.close()));
      await proxy.close();
      await broker.dispose();
    },
  };
}
