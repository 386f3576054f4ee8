import { TASK_STATUSES } from '@trove/contracts';
import type { Answer, TestApi } from './test_api.ts';

/** A create's body that is accepted. */
export function newInstance(changes: Record<string, unknown> = {}): unknown {
  return {
    instance: {
      name: 'm10',
      flavorRef: 25,
      volume: { size: 3 },
      datastore: { type: 'mysql', version: '5.7' },
      ...changes,
    },
  };
}

/** Creates an instance and gives its id. */
export async function createInstance(test: TestApi, changes: Record<string, unknown> = {}): Promise<string> {
  const answer = await test.send('POST', '/instances', { body: newInstance(changes) });
  if (answer.code !== 200) throw new Error(`create was refused: ${answer.text}`);
  return instanceIn(answer)['id'] as string;
}

/** What stands under `instance` in an answer. */
export function instanceIn(answer: Answer): Record<string, unknown> {
  return (answer.body as { instance: Record<string, unknown> }).instance;
}

/** Writes what the taskmanager and the conductor write of an instance that serves. */
export async function makeActive({ catalog: { knex } }: TestApi, id: string): Promise<void> {
  await knex('instances')
    .where({ id })
    .update({
      task_id: TASK_STATUSES.NONE.code,
      task_description: TASK_STATUSES.NONE.text,
      server_status: 'ACTIVE',
      compute_instance_id: 'server-1',
      volume_id: 'volume-1',
      active_task_id: null,
      addresses: JSON.stringify([{ address: '127.64.0.2', type: 'private' }]),
    });
  await knex('service_statuses').where({ instance_id: id }).update({ status_id: 33, status_description: 'healthy' });
  await knex('tasks').where({ instance_id: id }).update({ state: 'done' });
}

/** All that a refused request must not change. */
export async function booksOf({ catalog: { knex } }: TestApi): Promise<unknown> {
  return {
    instances: await knex('instances')
      .orderBy('id')
      .select('id', 'name', 'task_id', 'active_task_id', 'datastore_version_id'),
    statuses: await knex('service_statuses').orderBy('id').select('id', 'status_id'),
    tasks: await knex('tasks').orderBy('id').select('id', 'kind', 'state', 'cancel_requested'),
    quota: await knex('quota_usages')
      .whereRaw('in_use > 0 OR reserved > 0')
      .orderBy('resource')
      .select('tenant_id', 'resource', 'in_use', 'reserved'),
    reservations: await knex('reservations').orderBy('id').select('id', 'delta', 'status'),
  };
}

/** Takes out every instance and all that belongs to one; datastores stay. Quicker than another catalog. */
export async function emptyCatalog({ catalog: { knex }, asked }: TestApi): Promise<void> {
  await knex('instances').update({ slave_of_id: null });
  for (const table of [
    'tasks',
    'resources',
    'service_statuses',
    'instance_faults',
    'reservations',
    'quota_usages',
    'instances',
  ]) {
    await knex(table).delete();
  }
  asked.length = 0;
}
