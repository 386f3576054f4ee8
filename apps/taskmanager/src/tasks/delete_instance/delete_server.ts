import { resourcesOfInstance } from '@trove/catalog';
import type { Step } from '@trove/tasks';
import { optionalText } from '../shared/outputs.ts';
import { removeServersOf } from '../shared/servers.ts';
import { COMPUTE_TIMEOUT_MS, PERSISTENT_RETRY, type TaskTools } from '../shared/tools.ts';

const LOOK_EVERY_MS = 1000;

/** Takes away the server that the row names, and all that any task of this instance ever made, by token. */
export function deleteServer(tools: TaskTools): Step {
  const { compute, catalog } = tools;
  return {
    name: 'delete_server',
    timeoutMs: COMPUTE_TIMEOUT_MS,
    retry: PERSISTENT_RETRY,
    async run(context) {
      const serverId = optionalText(context.outputs['find_parts'], 'server_id');
      if (serverId !== undefined) {
        await compute.deleteServer(serverId, context.signal);
        if ((await compute.getServer(serverId)) !== undefined) {
          return { wait: { ms: LOOK_EVERY_MS, progress: 'the server is being deleted' } };
        }
      }
      const owned = await resourcesOfInstance(catalog.knex, context.task.instanceId);
      for (const { token } of owned.filter((resource) => resource.kind === 'server'))
        await removeServersOf(tools, context, token);
      return { done: { gone: true } };
    },
  };
}
