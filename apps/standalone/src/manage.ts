import { computeChoices } from '@trove/api';
import { createManage } from '@trove/cli';
import { seenFromHere } from './seen_from_here.ts';

// Here, since only the assembly sees the catalog's program, a compute driver and the taskmanager's tasks.
const manage = createManage({
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  images: (config) => computeChoices(config).images(),
  // The other commands start without all that a taskmanager is made of.
  rotate: async (catalog, instanceId) => (await import('@trove/taskmanager')).fileRotation(catalog, instanceId),
  outside: seenFromHere,
});
process.exitCode = await manage.run(process.argv.slice(2));
