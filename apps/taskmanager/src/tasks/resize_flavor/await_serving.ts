import type { ServiceStatusRow } from '@trove/catalog';
import { TroveError } from '@trove/common';
import { type Step } from '@trove/tasks';
import { memberOf } from '../shared/outputs.ts';
import { serves } from '../shared/service_verdict.ts';
import { CATALOG_TIMEOUT_MS, PERSISTENT_RETRY, type TaskTools } from '../shared/tools.ts';
import { UNTIL_REPORTED } from '../shared/waits.ts';

/** Trove's `resize_time_out`. */
const PATIENCE_MS = 900_000;

/** Waits until the guest reports that its database serves under the new limits. The last step that can be taken back. */
export function awaitServing({ catalog, clock }: TaskTools): Step {
  return {
    name: 'await_serving',
    timeoutMs: CATALOG_TIMEOUT_MS,
    retry: PERSISTENT_RETRY,
    async run(context) {
      const row = await catalog
        .knex<ServiceStatusRow>('service_statuses')
        .where({ instance_id: context.task.instanceId })
        .orderBy('updated_at', 'desc')
        .first('status_description');
      if (serves(row?.status_description)) return { done: { serves: true } };
      const since = memberOf(context.noted, 'since') ?? clock.now();
      if (context.noted === undefined) await context.note({ since });
      if (clock.now() - Number(since) > PATIENCE_MS)
        throw new TroveError('COMPUTE_ERROR', 'The database does not serve with the new flavor.');
      return { wait: { ...UNTIL_REPORTED, progress: 'the guest has not reported that its database serves' } };
    },
    undo: async () => {},
  };
}
