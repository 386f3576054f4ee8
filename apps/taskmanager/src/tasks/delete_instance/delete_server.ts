import { markResource, resourcesOfInstance } from '@trove/catalog';
import type { Step } from '@trove/tasks';
import { optionalText } from '../shared/outputs.ts';
import { removeServersOf } from '../shared/servers.ts';
import { COMPUTE_TIMEOUT_MS, PERSISTENT_RETRY, type TaskTools } from '../shared/tools.ts';
import { UNTIL_SEEN } from '../shared/waits.ts';

/** Takes away the server that the row names, and all that any task of this instance ever made, by token. */
export function deleteServer(tools: TaskTools): Step {
  const { compute, catalog } = tools;
  return {
    name: 'delete_server',
    timeoutMs: COMPUTE_TIMEOUT_MS,
    retry: PERSISTENT_RETRY,
    async run(context) {
      const resources = await resourcesOfInstance(catalog.knex, context.task.instanceId);
      const owned = resources.filter((resource) => resource.kind === 'server');
      const volumeId = optionalText(context.outputs['find_parts'], 'volume_id');
      const serverId = optionalText(context.outputs['find_parts'], 'server_id') ?? null;
      const ids = new Set([serverId, ...owned.map((resource) => resource.external_id)].filter((id) => id !== null));
      for (const id of ids) {
        await compute.deleteServer(id, context.signal);
        if ((await compute.getServer(id)) !== undefined) {
          return { wait: { ...UNTIL_SEEN, progress: 'the server is being deleted' } };
        }
      }
      for (const { token, external_id } of owned) {
        // No id says which host it is on; its volume's does. Every host is asked only where there is none.
        if (external_id === null) await removeServersOf(tools, context, { token, volumeId });
        else await context.fenced((tx) => markResource(tx, { token, state: 'gone' }));
      }
      return { done: { gone: true } };
    },
  };
}
