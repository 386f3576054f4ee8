import { writeInstance } from '@trove/catalog';
import type { Step } from '@trove/tasks';
import { provenVersion } from '../shared/agree_key.ts';
import { textMember } from '../shared/outputs.ts';
import { CATALOG_TIMEOUT_MS, PERSISTENT_RETRY, type TaskTools } from '../shared/tools.ts';
import { newKeyVersion } from './find_server.ts';

/** The new server's key, policy and version become the instance's, all or nothing. From here on nothing is undone. */
export function adoptKey({ keys }: TaskTools): Step {
  return {
    name: 'adopt_key',
    timeoutMs: CATALOG_TIMEOUT_MS,
    retry: PERSISTENT_RETRY,
    async run(context) {
      const { instanceId, fence, params } = context.task;
      const version = provenVersion(context) ?? newKeyVersion(context);
      const values = { datastore_version_id: textMember(params, 'datastore_version_id') };
      await context.fenced(async (tx) => {
        if (version !== undefined) await keys.activate(tx, { instanceId, fence, version });
        await writeInstance(tx, { instanceId, fence, values });
      });
      keys.forget(instanceId);
      return { done: { version: version ?? null } };
    },
  };
}
