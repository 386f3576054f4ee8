import { setTimeout as delay } from 'node:timers/promises';
import { oneOf } from '@trove/testkit';
import { guestPids, instanceFolders, signalGuest } from '../guests.ts';
import { type Fault, SECOND } from './fault.ts';

/** Of disks that have no room. */
export const DISK_FAULTS: readonly Fault[] = [
  {
    name: 'disks of some guests full, and guests killed on them',
    seconds: 12,
    async apply({ ground, random }) {
      const folders = instanceFolders(ground.instancesRoot).slice(-4);
      ground.trouble({ fullDisks: folders });
      for (let left = 3; left > 0; left -= 1) {
        await delay(3 * SECOND);
        const pids = guestPids(ground.folder);
        if (pids.length > 0) signalGuest(oneOf(random, pids), 'SIGKILL');
      }
      await delay(2 * SECOND);
      ground.trouble({});
    },
  },
  {
    name: 'disk of the host full, under all its servers and the taskmanagers',
    seconds: 10,
    async apply({ ground }) {
      ground.trouble({ fullDisks: [ground.instancesRoot] });
      await delay(10 * SECOND);
      ground.trouble({});
    },
  },
];
