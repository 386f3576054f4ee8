import { computeChoices } from '@trove/api';
import { createManage } from '@trove/cli';

/**
 * `trove-manage` as it is deployed. Here, since only the assembly sees the catalog's program, a compute driver and the
 * taskmanager's tasks; commands that ask for none of those start without the code of a taskmanager.
 */
export function assembleManage(): ReturnType<typeof createManage> {
  return createManage({
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    images: (config) => computeChoices(config).images(),
    rotate: async (catalog, instanceId) => (await import('@trove/taskmanager')).fileRotation(catalog, instanceId),
    rebuild: async (catalog, instanceId) => (await import('@trove/taskmanager')).fileRebuild(catalog, instanceId),
    outside: async (sources) => (await import('./seen_from_here.ts')).seenFromHere(sources),
  });
}
