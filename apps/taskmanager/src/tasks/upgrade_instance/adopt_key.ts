import { writeInstance } from '@trove/catalog';
import type { Step, StepContext } from '@trove/tasks';
import type { GuestKeys, Transaction } from '../../guests/guest_keys.ts';
import { provenVersion } from '../shared/agree_key.ts';
import { textMember } from '../shared/outputs.ts';
import { CATALOG_TIMEOUT_MS, PERSISTENT_RETRY, type TaskTools } from '../shared/tools.ts';
import { newKeyVersion } from './find_server.ts';

/** From here on nothing is undone. */
export function adoptKey({ keys }: TaskTools): Step {
  return {
    name: 'adopt_key',
    timeoutMs: CATALOG_TIMEOUT_MS,
    retry: PERSISTENT_RETRY,
    async run(context) {
      const version = await context.fenced((tx) => takeNewServer(tx, context, keys));
      keys.forget(context.task.instanceId);
      return { done: { version } };
    },
  };
}

/** The new server's key, policy and version become the instance's, all or nothing. Resolves with the key's version. */
export async function takeNewServer(
  tx: Transaction,
  { task, outputs }: Pick<StepContext, 'task' | 'outputs'>,
  keys: Pick<GuestKeys, 'activate'>,
): Promise<number | null> {
  const { instanceId, fence, params } = task;
  const version = provenVersion({ outputs }) ?? newKeyVersion({ outputs });
  if (version !== undefined) await keys.activate(tx, { instanceId, fence, version });
  const values = { datastore_version_id: textMember(params, 'datastore_version_id') };
  await writeInstance(tx, { instanceId, fence, values });
  return version ?? null;
}
