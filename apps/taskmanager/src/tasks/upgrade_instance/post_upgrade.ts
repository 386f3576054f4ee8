import type { Step, StepContext } from '@trove/tasks';
import { provenVersion } from '../shared/agree_key.ts';
import { callOnce } from '../shared/call_once.ts';
import { memberOf, optionalText } from '../shared/outputs.ts';
import { PERSISTENT_RETRY, SLICE_TIMEOUT_MS, type TaskTools } from '../shared/tools.ts';
import { newKeyVersion } from './find_server.ts';

const POST_UPGRADE = 'post_upgrade';

/** The new server takes up the kept volume and serves; asked under the new key. The last step that can be taken back. */
export function postUpgrade(tools: TaskTools): Step {
  return {
    name: POST_UPGRADE,
    timeoutMs: SLICE_TIMEOUT_MS,
    retry: PERSISTENT_RETRY,
    async run(context) {
      const keyVersion = provenVersion(context) ?? newKeyVersion(context);
      const info: Record<string, unknown> = JSON.parse(upgradeInfo(context));
      const answer = await callOnce(tools, context, {
        method: 'post_upgrade',
        args: { upgrade_info: info },
        sealed: keyVersion !== undefined,
        keyVersion,
      });
      if ('wait' in answer) return { wait: { ...answer.wait, progress: 'the new server does not serve yet' } };
      return { done: { serves: true } };
    },
    undo: async () => {},
  };
}

/** What the old server's guest wanted to be told, as JSON; nothing where it was not asked. */
function upgradeInfo({ outputs }: Pick<StepContext, 'outputs'>): string {
  return optionalText(outputs['pre_upgrade'], 'upgrade_info') ?? '{}';
}

/** Whether the new server has said that it serves: then the upgrade is past the last step that can be taken back. */
export function isServing({ outputs }: Pick<StepContext, 'outputs'>): boolean {
  return memberOf(outputs[POST_UPGRADE], 'serves') === true;
}
