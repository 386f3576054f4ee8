// `node --import` of this before a service's own program: light databases, compute with faults, a clock that is off, a full disk.
import { obeyFullDisks } from './full_disks.ts';
import { shiftClock } from './shift_clock.ts';
import { swapPackages } from './swap_packages.ts';

shiftClock(Number(process.env['CHAOS_CLOCK_MS'] ?? 0));
obeyFullDisks(process.env['CHAOS_FOLDER'] ?? '');
swapPackages({
  '@trove/datastores': new URL('light_datastores.ts', import.meta.url).href,
  '@trove/compute': new URL('faulty_compute.ts', import.meta.url).href,
});
