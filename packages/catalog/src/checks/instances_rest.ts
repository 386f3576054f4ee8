import { taskStatusByCode } from '@trove/contracts';
import { deadSlots, stuckInstances } from './differences.ts';
import type { CatalogFacts, InstanceFacts } from './facts.ts';
import { type Finding, troveMillis } from './findings.ts';

const BY_ITSELF = 'The reconciler settles it after its grace time; see trove-manage reconcile.';

/** I2: an action that is shown, and that nobody is at work on. */
export function instancesLeftInTheMiddle(facts: CatalogFacts): readonly Finding[] {
  const stuck = stuckInstances(facts).map((row) => ({
    key: `stuck:${row.id}`,
    ...aboutInstance(row),
    what: `shows ${taskStatusByCode(row.task_id).action} and no task is at work on it`,
    todo: BY_ITSELF,
  }));
  const slots = deadSlots(facts).map((row) => ({
    key: `slot:${row.id}:${row.active_task_id}`,
    ...aboutInstance(row),
    what: `its slot is held by task ${row.active_task_id}, which has ended or is not there`,
    todo: BY_ITSELF,
  }));
  return [...stuck, ...slots];
}

function aboutInstance(row: InstanceFacts): Pick<Finding, 'instanceId' | 'since'> {
  return { instanceId: row.id, since: troveMillis(row.task_start_time ?? row.updated) };
}
