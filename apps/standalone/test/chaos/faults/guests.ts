import { setTimeout as delay } from 'node:timers/promises';
import { oneOf } from '@trove/testkit';
import { guestPids, signalGuest } from '../guests.ts';
import { type Fault, HOUR_MS, SECOND } from './fault.ts';

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
];
