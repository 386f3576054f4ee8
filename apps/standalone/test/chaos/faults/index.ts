import { BROKER_FAULTS } from './broker.ts';
import { CATALOG_FAULTS } from './catalog.ts';
import { COMPUTE_FAULTS } from './compute.ts';
import { DISK_FAULTS } from './disks.ts';
import type { Fault } from './fault.ts';
import { GUEST_FAULTS } from './guests.ts';
import { PROCESS_FAULTS } from './processes.ts';
import { RESTORE_FAULTS } from './restores.ts';

export type { Fault, Hands } from './fault.ts';

export const FAULTS: readonly Fault[] = [
  ...PROCESS_FAULTS,
  ...BROKER_FAULTS,
  ...CATALOG_FAULTS,
  ...COMPUTE_FAULTS,
  ...GUEST_FAULTS,
  ...DISK_FAULTS,
  ...RESTORE_FAULTS,
];

/** Of the list of twenty, those that are not made here. */
export const NOT_MADE: readonly string[] = [
  'guest restored from a snapshot, guest cloned: tried by name in test/attacks',
  'keys that rotate, a wrong key on one taskmanager: tried by name with the rotation',
];
