import { setTimeout as delay } from 'node:timers/promises';
import { type Fault, SECOND } from './fault.ts';

/** Of what makes servers and volumes. */
export const COMPUTE_FAULTS: readonly Fault[] = [
  {
    name: 'compute refuses, fails or answers too late before and after it has done what was asked, does it twice, and lists late',
    seconds: 15,
    async apply({ ground }) {
      ground.trouble({ compute: 0.3 });
      await delay(15 * SECOND);
      ground.trouble({});
    },
  },
];
