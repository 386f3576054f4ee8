import { ensureReportRow, type InstanceReportRow, insertInstance, withTransaction } from '@trove/catalog';
import { type TestCatalog, testCatalog } from '@trove/catalog/testing';
import { newUuid, systemClock, TroveError } from '@trove/common';
import type { StepContext } from '@trove/tasks';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Restarts } from './restarts.ts';
import type { TaskTools } from './tools.ts';

const id = newUuid();
const NOT_YET = { code: 'GUEST_TIMEOUT', retryable: true };
let catalog: TestCatalog;
let restarts: Restarts;
let calls: PromiseWithResolvers<null>[];

beforeAll(async () => {
  catalog = await testCatalog('sqlite');
  const row = { name: 'one', tenant_id: 'p', flavor_id: '1', volume_size: 1, region_id: null, access: null };
  await withTransaction(catalog, (tx) => insertInstance(tx, { id, ...row, datastore_version_id: null }));
  await withTransaction(catalog, (tx) => ensureReportRow(tx, id));
});
afterAll(() => catalog.dispose());
beforeEach(() => {
  restarts = new Restarts();
  calls = [];
});

function restart(): Promise<void> {
  const call = (): Promise<null> => {
    const answer = Promise.withResolvers<null>();
    calls.push(answer);
    return answer.promise;
  };
  const tools = { catalog, guests: { call }, settings: { highMs: 180_000 }, clock: { ...systemClock, now: () => 1 } };
  const context = { task: { instanceId: id }, token: 'token' };
  return restarts.restart(tools as unknown as TaskTools, context as unknown as StepContext);
}

test('a guest is asked once, however often an undo is tried, and its answer ends it', async () => {
  await expect(restart()).rejects.toMatchObject(NOT_YET);
  await expect(restart()).rejects.toMatchObject(NOT_YET);
  calls[0]?.resolve(null);
  await restart();
  expect(calls).toHaveLength(1);
});

test('its refusal is the outcome, and the next try asks again', async () => {
  const refusal = new TroveError('GUEST_ERROR', 'cannot start');
  const first = restart();
  calls[0]?.reject(refusal);
  await expect(first).rejects.toBe(refusal);
  await expect(restart()).rejects.toMatchObject(NOT_YET);
  expect(calls).toHaveLength(2);
});

test('a report that its database serves is as good as the answer', async () => {
  await expect(restart()).rejects.toMatchObject(NOT_YET);
  await catalog.knex('service_statuses').where({ instance_id: id }).update({ status_description: 'healthy' });
  await catalog
    .knex<InstanceReportRow>('instance_reports')
    .where({ instance_id: id })
    .update({ received_at: 6_000_000 });
  await restart();
  expect(calls).toHaveLength(1);
});
