import { type Catalog, type InstanceRow, PARKED_ERRORS, type TaskRow, UNFINISHED_STATES } from '@trove/catalog';
import { type Metrics, measureCall, type Reading } from '@trove/common';
import type { GuestClient } from '@trove/crypto-rpc';

const POLICIES = ['plaintext', 'v1', 'v2'] as const;
/** Tasks that ended well are many and say nothing: they are not counted. */
const TASK_STATES: readonly TaskRow['state'][] = [...UNFINISHED_STATES, 'failed', 'cancelled'];

/** What the catalog knows, read for the page: peers by how they are spoken to, tasks by state. */
export function showCatalog(metrics: Metrics, { knex }: Pick<Catalog, 'knex'>): void {
  metrics.gauge('trove_peers', 'Instances by the policy that guests are spoken to under.', ['policy'], async () => {
    const rows = await knex<InstanceRow>('instances')
      .where({ deleted: 0 })
      .groupBy('rpc_policy')
      .select('rpc_policy')
      .count({ count: '*' });
    return POLICIES.map((policy, number) =>
      reading(
        { policy },
        rows.find((row) => Number(row.rpc_policy) === number),
      ),
    );
  });
  metrics.gauge('trove_tasks', 'Tasks by state, without those that ended well.', ['state'], async () => {
    const rows = await knex<TaskRow>('tasks')
      .whereIn('state', TASK_STATES)
      .groupBy('state')
      .select('state')
      .count({ count: '*' });
    return TASK_STATES.map((state) =>
      reading(
        { state },
        rows.find((row) => row.state === state),
      ),
    );
  });
  const parked =
    'Unfinished tasks that stand still, since no taskmanager that looked at them knows their version or steps.';
  metrics.gauge('trove_tasks_parked', parked, [], async () => {
    const [row] = await knex<TaskRow>('tasks')
      .whereIn('state', UNFINISHED_STATES)
      .where('error', 'like', PARKED_ERRORS)
      .count({ count: '*' });
    return [reading({}, row)];
  });
}

function reading(labels: Record<string, string>, row: object | undefined): Reading {
  return { labels, value: row === undefined ? 0 : Number(Reflect.get(row, 'count')) };
}

/** The client, with each call to a guest counted by method and outcome. */
export function measuredGuests(guests: GuestClient, metrics: Metrics): GuestClient {
  const measure = <T>(method: string, work: () => Promise<T>) => measureCall(metrics, { to: 'guest', method }, work);
  return {
    call: (id, method, args, options) => measure(method, () => guests.call(id, method, args, options)),
    hello: (id, options) => measure('hello', () => guests.hello(id, options)),
    declareGuest: (id, policy) => guests.declareGuest(id, policy),
    deleteGuest: (id) => guests.deleteGuest(id),
    close: () => guests.close(),
  };
}
