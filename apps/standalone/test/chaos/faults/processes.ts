import { setTimeout as delay } from 'node:timers/promises';
import { oneOf } from '@trove/testkit';
import { type Fault, HOUR_MS, PAST_A_LEASE_S, SECOND } from './fault.ts';

/** Of services: ended, stopped, or with a clock that is off. */
export const PROCESS_FAULTS: readonly Fault[] = [
  {
    name: 'kill -9 of a taskmanager',
    seconds: 1,
    apply: async ({ ground, random }) => oneOf(random, ground.servicesOf('taskmanager')).kill(),
  },
  {
    name: 'taskmanager stopped past its leases, and continued',
    seconds: PAST_A_LEASE_S,
    async apply({ ground, random }) {
      const taskmanager = oneOf(random, ground.servicesOf('taskmanager'));
      taskmanager.pause();
      await delay(PAST_A_LEASE_S * SECOND);
      taskmanager.resume();
    },
  },
  {
    name: 'kill -9 of all taskmanagers',
    seconds: 1,
    apply: async ({ ground }) => ground.servicesOf('taskmanager').forEach((service) => service.kill()),
  },
  {
    name: 'kill -9 of a conductor',
    seconds: 1,
    apply: async ({ ground, random }) => oneOf(random, ground.servicesOf('conductor')).kill(),
  },
  {
    name: 'kill -9 of an api',
    seconds: 1,
    apply: async ({ ground, random }) => oneOf(random, ground.servicesOf('api')).kill(),
  },
  {
    name: 'apis killed after they have committed, before they answer',
    seconds: 8,
    async apply({ ground }) {
      ground.trouble({ diesAfterCommit: { api: 0.3, taskmanager: 0 } });
      await delay(8 * SECOND);
      ground.trouble({});
    },
  },
  {
    name: 'taskmanagers killed after they have committed, before they go on',
    seconds: 8,
    async apply({ ground }) {
      ground.trouble({ diesAfterCommit: { api: 0, taskmanager: 0.05 } });
      await delay(8 * SECOND);
      ground.trouble({});
    },
  },
  {
    name: 'clock of a taskmanager five minutes off',
    seconds: 20,
    async apply({ ground, random }) {
      const taskmanager = oneOf(random, ground.servicesOf('taskmanager'));
      taskmanager.kill(oneOf(random, [HOUR_MS / 12, -HOUR_MS / 12]));
      await delay(20 * SECOND);
      taskmanager.kill();
    },
  },
];
