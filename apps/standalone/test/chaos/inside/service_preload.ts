// `node --import` of this before a service's own program: light databases, compute with faults, commits that it does not
// survive, a clock that is off, a full disk, another release.
import { obeyFullDisks } from './full_disks.ts';
import { ownPart } from './own_part.ts';
import { shiftClock } from './shift_clock.ts';
import { swapPackages } from './swap_packages.ts';

const { clockMs, folder, release } = ownPart();
shiftClock(clockMs);
obeyFullDisks(folder);
swapPackages({
  '@trove/datastores': new URL('light_datastores.ts', import.meta.url).href,
  '@trove/compute': new URL('faulty_compute.ts', import.meta.url).href,
  '@trove/catalog': new URL('deadly_catalog.ts', import.meta.url).href,
  ...(release > 1 && { '@trove/tasks': new URL('later_tasks.ts', import.meta.url).href }),
});
