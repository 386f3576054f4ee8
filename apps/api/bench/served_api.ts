// One api process for the benchmark: a catalog with 1,000 instances that serve, 50 projects with raised quota, doorbells to a
// real broker that nobody answers. It tells its parent where it listens and ends with it.
import { newUuid, Secret, silentLogger } from '@trove/common';
import { createAmqpBus, createTaskmanagerClient } from '@trove/crypto-rpc';
import { staticTokens } from '@trove/identity';
import { testBroker } from '@trove/testkit';
import { fastify } from 'fastify';
import { createInstance, makeActive } from '../src/testing/instances.ts';
import { PROJECT, TOKENS, testApi } from '../src/testing/test_api.ts';

export interface ServedApi {
  readonly url: string;
  /** A bare fastify that answers a stored text of the list's size: the baseline. */
  readonly bareUrl: string;
  readonly token: string;
  readonly project: string;
  readonly instanceId: string;
  readonly creators: readonly { readonly token: string; readonly project: string }[];
}

const INSTANCES = 1000;
const CREATORS = 50;
const controlRing = [new Secret('a-key-of-the-benchmark-and-nothing-else')];

const broker = await testBroker();
const bus = await createAmqpBus({
  transportUrl: new Secret(broker.url),
  connectionName: 'bench',
  logger: silentLogger,
  waitConnected: true,
});
const taskmanager = createTaskmanagerClient({
  bus,
  controlKeys: { ring: controlRing },
  controlExchange: 'trove',
  logger: silentLogger,
});
const creators = Array.from({ length: CREATORS }, () => ({ token: newUuid(), project: newUuid().replaceAll('-', '') }));
const member = { token: TOKENS.alice, project: PROJECT };
const identity = staticTokens(
  {
    tokens: [member, ...creators].map(({ token, project }) => ({
      token,
      user_id: 'bench',
      user_name: 'bench',
      project_id: project,
      roles: ['member'],
    })),
  },
  'bench',
);
const served = await testApi({
  dialect: 'mysql',
  settings: { quotas: { backups: 50, instances: 1_000_000, ram: -1, volumes: -1 } },
  deps: { identity, taskmanager, controlRing, bus },
});

let instanceId = '';
for (let i = 0; i < INSTANCES; i += 1) {
  instanceId = await createInstance(served, { name: `m${i}` });
  await makeActive(served, instanceId);
}
const list = await served.send('GET', '/instances');
const bare = fastify();
bare.get('/*', (_request, reply) => reply.type('application/json').send(list.text));
const bareUrl = await bare.listen({ host: '127.0.0.1', port: 0 });
const url = await served.api.listen({ host: '127.0.0.1', port: 0 });

process.on('message', () => void end());
process.send?.({
  url,
  bareUrl,
  token: member.token,
  project: member.project,
  instanceId,
  creators,
} satisfies ServedApi);

async function end(): Promise<void> {
  const books = await quotaBooks();
  process.send?.({ books });
  await bare.close();
  await served.dispose();
  await taskmanager.close();
  await bus.close();
  await broker.dispose();
  process.disconnect();
}

/** What is counted in the quota books, and what there is. */
async function quotaBooks(): Promise<{ counted: number; instances: number }> {
  const [usage] = await served.catalog
    .knex('quota_usages')
    .where({ resource: 'instances' })
    .sum({ in_use: 'in_use', reserved: 'reserved' });
  const [rows] = await served.catalog.knex('instances').where({ deleted: 0 }).count({ n: '*' });
  return { counted: Number(usage?.['in_use'] ?? 0) + Number(usage?.['reserved'] ?? 0), instances: Number(rows?.['n']) };
}
