import dns from 'node:dns';
import { createServer, type Server, Socket } from 'node:net';
import { newUuid } from '@trove/common';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createInstance, emptyCatalog, makeActive, newInstance } from './testing/instances.ts';
import {
  addressed,
  everyRow,
  type ServedRoute,
  sampleOf,
  servedRoutes,
  withMembers,
  withTexts,
} from './testing/routes.ts';
import { type Answer, OTHER_PROJECT, type TestApi, testApi, VERSIONS } from './testing/test_api.ts';

let api: TestApi;
let writers: readonly ServedRoute[];
let own: string;
beforeAll(async () => {
  api = await testApi();
  writers = servedRoutes(api).filter(({ body }) => body !== undefined);
});
beforeEach(() => begin());
afterAll(() => api.dispose());

async function begin(): Promise<void> {
  await emptyCatalog(api);
  await api.catalog.knex('task_steps').delete();
  own = await createInstance(api);
  await makeActive(api, own);
  api.asked.length = 0;
}

/** Sends the body to an instance of one's own that is as at the start; everything that there is afterwards comes with the answer. */
async function effectOf(route: ServedRoute, body: unknown): Promise<{ answer: Answer; after: string }> {
  await begin();
  const answer = await api.send(route.method, addressed(route, own), { body });
  return { answer, after: comparable({ rows: await everyRow(api), asked: api.asked, answer: answer.body }) };
}

/** Without what is new each time: ids by the order that they come in, times, what rests sealed or hashed. */
function comparable(value: unknown): string {
  const ids = new Map<string, string>();
  return JSON.stringify(value)
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, (id) => {
      ids.set(id, ids.get(id) ?? `id ${ids.size}`);
      return ids.get(id) ?? '';
    })
    .replaceAll(/\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?/g, 'time')
    .replaceAll(/"?\b\d{13,16}\b"?/g, 'time')
    .replaceAll(/v2\.[\w.-]+/g, 'sealed');
}

const named = ({ method, path }: ServedRoute): string => `${method} ${path}`;

describe('A34: what a tenant must not set', () => {
  const members = {
    ...{ tenant_id: OTHER_PROJECT, project_id: OTHER_PROJECT, user_id: 'somebody', is_admin: true, roles: ['admin'] },
    ...{
      id: newUuid(),
      instance_id: newUuid(),
      task_id: 1,
      active_task_id: newUuid(),
      fence: 99,
      cluster_id: newUuid(),
    },
    ...{
      status: 'ERROR',
      server_status: 'ACTIVE',
      deleted: 1,
      deleted_at: '2000-01-01 00:00:00',
      created: '2000-01-01',
    },
    ...{ encrypted_key: 'QUFBQQ==', rpc_policy: 0, compute_instance_id: 'stolen', volume_id: 'stolen', hidden: true },
  };

  test('is refused or ignored in every object of every body: what happens is what happens without it', async () => {
    let [accepted, refused] = [0, 0];
    for (const route of writers) {
      const body = sampleOf(route.body ?? {});
      const plain = await effectOf(route, body);
      const untouched = await effectOf(route, 'no body at all');
      for (const changed of withMembers(body, members)) {
        const { answer, after } = await effectOf(route, changed);
        const wasRefused = answer.code >= 400 && answer.code < 500;
        const what = [named(route), JSON.stringify(changed)];
        if (wasRefused)
          expect([...what, after.replace(/"answer":.*/, '')]).toEqual([
            ...what,
            untouched.after.replace(/"answer":.*/, ''),
          ]);
        else expect([...what, answer.code, after]).toEqual([...what, plain.answer.code, plain.after]);
        if (wasRefused) refused += 1;
        else if (answer.code < 300) accepted += 1;
      }
    }
    expect(accepted).toBeGreaterThan(10);
    expect(refused).toBeGreaterThan(2);
  });

  test('would be seen if it were taken', async () => {
    const [route] = writers.filter(({ path, method }) => path === '/instances' && method === 'POST');
    if (route === undefined) throw new Error('no create');
    const { after } = await effectOf(route, newInstance({ name: 'x1' }));
    expect((await effectOf(route, newInstance({ name: 'x2' }))).after).not.toBe(after);
    await api.catalog.knex('instances').update({ deleted: 1 });
    expect(comparable({ rows: await everyRow(api) })).not.toBe(after);
  });
});

describe('A36: a URL in a body', () => {
  let listener: Server;
  let url: string;
  let connections: number;
  const outward = [
    vi.spyOn(Socket.prototype, 'connect'),
    vi.spyOn(dns, 'lookup'),
    vi.spyOn(dns.promises, 'lookup'),
  ] as const;
  beforeAll(async () => {
    listener = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const address = listener.address();
    url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  });
  beforeEach(() => {
    connections = 0;
    for (const spy of outward) spy.mockClear();
  });
  afterEach(() => {
    expect(connections).toBe(0);
    for (const spy of outward) expect(spy).not.toHaveBeenCalled();
  });
  afterAll(() => {
    for (const spy of outward) spy.mockRestore();
    listener.close();
  });

  const hosts = (): string[] => [
    url,
    `http://user:secret@127.0.0.1:${new URL(url).port}`,
    `http://[::ffff:127.0.0.1]:${new URL(url).port}`,
    `http://2130706433:${new URL(url).port}`,
    'http://169.254.169.254',
    'http://metadata.internal',
  ];

  test('is asked by nobody, whatever member of whatever body it stands in', async () => {
    const names = [
      'container_ref',
      'password_ref',
      'location',
      'backupRef',
      'image',
      'href',
      'url',
      'links',
      'callback',
    ];
    let sent = 0;
    for (const route of writers) {
      await begin();
      const body = sampleOf(route.body ?? {});
      for (const host of hosts()) {
        const link = `${host}/v1.0/p/flavors/25`;
        const references = Object.fromEntries(names.map((name) => [name, link]));
        for (const changed of [...withTexts(body, link), ...withMembers(body, references)]) {
          const { code } = await api.send(route.method, addressed(route, own), { body: changed });
          expect(code).toBeLessThan(500);
          sent += 1;
        }
      }
    }
    expect(sent).toBeGreaterThan(100);
  });

  test('is taken for a flavor by its last part alone, and kept nowhere', async () => {
    for (const host of hosts()) {
      await begin();
      const answer = await api.send('POST', '/instances', { body: newInstance({ flavorRef: `${host}/x/flavors/d3` }) });
      expect(answer.code).toBe(200);
      const rows = await everyRow(api);
      expect(JSON.stringify(rows)).not.toContain(host);
      expect(rows['instances']?.map(({ flavor_id }) => flavor_id).toSorted()).toEqual(['25', 'd3']);
      const unknown = await api.send('POST', '/instances', {
        body: newInstance({ flavorRef: `${host}/flavors/none` }),
      });
      expect([unknown.code, unknown.text.includes(host)]).toEqual([400, false]);
    }
  });

  test('is no version, datastore or image', async () => {
    const body = { instance: { datastore_version: `${url}/versions/${VERSIONS.next}` } };
    expect((await api.send('PATCH', `/instances/${own}`, { body })).code).toBe(400);
    for (const datastore of [{ type: `${url}/mysql` }, { type: 'mysql', version: `${url}/5.7` }])
      expect((await api.send('POST', '/instances', { body: newInstance({ datastore }) })).code).toBeGreaterThan(399);
  });

  test('would be seen if it were asked', async () => {
    await fetch(url).catch(() => undefined);
    await expect.poll(() => connections).toBe(1);
    expect(outward[0]).toHaveBeenCalled();
    connections = 0;
    for (const spy of outward) spy.mockClear();
  });
});
