import { BROKER_FAULTS } from './broker.ts';
import { CATALOG_FAULTS } from './catalog.ts';
import { COMPUTE_FAULTS } from './compute.ts';
import { DISK_FAULTS } from './disks.ts';
import type { Fault } from './fault.ts';
import { GUEST_FAULTS } from './guests.ts';
import { KEY_FAULTS } from './keys.ts';
import { PROCESS_FAULTS } from './processes.ts';
import { RELEASE_FAULTS } from './releases.ts';
import { RESTORE_FAULTS } from './restores.ts';

export type { Fault, Hands } from './fault.ts';

export const FAULTS: readonly Fault[] = [
  ...PROCESS_FAULTS,
  ...RELEASE_FAULTS,
  ...BROKER_FAULTS,
  ...CATALOG_FAULTS,
  ...COMPUTE_FAULTS,
  ...GUEST_FAULTS,
  ...DISK_FAULTS,
  ...KEY_FAULTS,
  ...RESTORE_FAULTS,
];
