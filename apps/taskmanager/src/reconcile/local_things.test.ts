import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ResourceRow, readReconcileState } from '@trove/catalog';
import type { TestCatalog } from '@trove/catalog/testing';
import { createMetrics, newUuid, silentLogger, systemClock } from '@trove/common';
import { type AgentRunner, type CreateServer, LocalCompute } from '@trove/compute';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ended, type House, openHouse, openTestCatalog } from '../../test/house.ts';
import { createReconciler } from './reconciler.ts';

const STAYS = new AbortController().signal;
/** An agent of which nothing is wanted. */
const IDLE_AGENTS: AgentRunner = {
  start: async () => ({ identity: { pid: 1, started: 'never' }, alive: () => false, stop: async () => {} }),
  adopt: () => undefined,
};

let catalog: TestCatalog;
let house: House;
let root: string;
let compute: LocalCompute;
let deploymentId: string;

beforeAll(async () => {
  catalog = await openTestCatalog('mysql');
  house = openHouse(catalog);
  deploymentId = (await catalog.knex('deployment').first('deployment_id')).deployment_id;
  root = mkdtempSync(join(tmpdir(), 'trove-reconcile-'));
  const installation = { manager: 'mysql', version: '8', binDir: '/bin', port: 3306 };
  compute = new LocalCompute({
    ...{ root, network: '127.66.0.0/16', host: 'here', account: undefined, runner: IDLE_AGENTS, logger: silentLogger },
    installations: { find: async () => [installation], inspect: async () => undefined },
  });
});
afterAll(async () => {
  await house.dispose();
  await compute.close({ stopServers: true });
  await catalog.dispose();
  rmSync(root, { recursive: true });
});

const run = createRun();

function createRun(): () => Promise<void> {
  let turn: ((signal: AbortSignal) => Promise<void>) | undefined;
  return async () => {
    turn ??= createReconciler({
      ...{ catalog, compute, deploymentId: async () => deploymentId, everyMs: 0, owner: 'here' },
      limits: { graceMs: 0, maxActions: 100, dryRun: false },
      ...{ clock: systemClock, logger: silentLogger, metrics: createMetrics() },
    });
    await turn(STAYS);
  };
}

/** A server with its volume, as a create makes them, and rows that say so. */
async function make(instanceId: string, owner: string, state?: ResourceRow['state']): Promise<CreateServer> {
  const [flavor] = await compute.flavors();
  const [image] = await compute.images();
  if (flavor === undefined || image === undefined) throw new Error('no flavor, no image');
  const common = { deploymentId: owner, instanceId };
  const { volumeId } = await compute.createVolume({ ...common, clientToken: `v-${instanceId}`, size: 1 }, STAYS);
  const request = { ...common, clientToken: `s-${instanceId}`, projectId: house.project, name: 'x', flavor };
  const create = { ...request, imageId: image.id, volumeId, files: {} };
  const server = await compute.createServer(create, STAYS);
  for (const [kind, token, external_id] of [
    ['server', `s-${instanceId}`, server.id],
    ['volume', `v-${instanceId}`, volumeId],
  ])
    if (state !== undefined)
      await catalog.knex('resources').insert({ token, kind, external_id, instance_id: instanceId, state });
  return create;
}

const instance = async (columns: Record<string, unknown>): Promise<string> => {
  const id = newUuid();
  await catalog.knex('instances').insert({ id, rpc_policy: 0, tenant_id: house.project, task_id: 1, ...columns });
  return id;
};

test('on local compute the folders of what nobody owns go, and those of anybody else stay as they are', async () => {
  const dead = await instance({ deleted: 1 });
  await make(dead, deploymentId, 'live');
  const alive = await instance({ deleted: 0 });
  const { volumeId } = await make(alive, deploymentId, 'live');
  const [server] = await compute.findServers(`s-${alive}`);
  const booked = { compute_instance_id: server?.id, volume_id: volumeId, volume_size: 1, flavor_id: server?.flavorId };
  await catalog.knex('instances').where({ id: alive }).update(booked);
  await compute.extendVolume(volumeId ?? '', 4, STAYS);
  const snapshot = await compute.snapshotVolume(volumeId ?? '', `snap-${alive}`, STAYS);
  await catalog.knex('resources').insert({
    token: `snap-${alive}`,
    kind: 'snapshot',
    external_id: snapshot.snapshotId,
    instance_id: alive,
    state: 'gone',
  });
  const stranger = newUuid();
  await make(stranger, newUuid());
  writeFileSync(join(root, 'a file of an operator'), '');
  await house.taskmanager({ compute });

  await run();
  const task = await catalog.knex('tasks').where({ instance_id: alive }).first('id');
  expect((await ended(house, task.id)).state).toBe('done');

  expect(existsSync(join(root, dead))).toBe(false);
  expect(await catalog.knex('instances').where({ id: alive }).pluck('volume_size'), 'as it has grown').toEqual([4]);
  const left = await compute.listOwned(deploymentId);
  expect(left.map((thing) => `${thing.kind} of ${thing.instanceId}`).toSorted()).toEqual(
    [`server of ${alive}`, `volume of ${alive}`].toSorted(),
  );
  expect(readdirSync(root).filter((name) => name === stranger || name.startsWith('a file'))).toHaveLength(2);
  expect(existsSync(join(root, stranger, 'record.json'))).toBe(true);
  await run();
  expect((await readReconcileState(catalog.knex)).findings).toEqual([]);
});
