import { computeChoices } from '@trove/api';
import { createManage } from '@trove/cli';
import { seenFromHere } from './seen_from_here.ts';

// Here, since only the assembly sees the catalog's program and a compute driver both.
const manage = createManage({
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  images: (config) => computeChoices(config).images(),
  outside: seenFromHere,
});
process.exitCode = await manage.run(process.argv.slice(2));
