import { writeInstance } from '@trove/catalog';
import type { Step } from '@trove/tasks';
import { knownServer } from '../shared/known_server.ts';
import { taskValues } from '../shared/task_values.ts';
import { CATALOG_TIMEOUT_MS, PERSISTENT_RETRY, type TaskTools } from '../shared/tools.ts';

/** What there is to take away, and how much quota it holds; read once, before any of it is gone. */
export function findParts(tools: TaskTools): Step {
  return {
    name: 'find_parts',
    timeoutMs: CATALOG_TIMEOUT_MS,
    retry: PERSISTENT_RETRY,
    async run(context) {
      const { instanceId, fence } = context.task;
      const { instance } = await knownServer(tools, instanceId);
      // Whoever had the slot before has written its own last words since the delete was asked for.
      await context.fenced((tx) => writeInstance(tx, { instanceId, fence, values: taskValues('DELETING') }));
      const flavors = await tools.compute.flavors();
      return {
        done: {
          server_id: instance.compute_instance_id,
          volume_id: instance.volume_id,
          volume_size: instance.volume_size ?? 0,
          ram: flavors.find((flavor) => flavor.id === instance.flavor_id)?.ram ?? 0,
        },
      };
    },
  };
}
