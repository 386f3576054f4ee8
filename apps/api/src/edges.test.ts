import { openCatalog } from '@trove/catalog';
import { ERROR_CODES, TroveError } from '@trove/common';
import { FAULT_NAMES } from '@trove/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { answerTo, HTTP_CODES } from './errors.ts';
import { createInstance, newInstance } from './testing/instances.ts';
import { OTHER_PROJECT, PROJECT, type TestApi, testApi } from './testing/test_api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await testApi();
});
afterAll(() => api.dispose());

test('the list of versions needs no token', async () => {
  const { code, body } = await api.send('GET', '//', { as: null });
  expect(code).toBe(200);
  expect(body).toEqual({
    versions: [
      {
        id: 'v1.0',
        status: 'CURRENT',
        updated: '2012-08-01T00:00:00Z',
        links: [{ rel: 'self', href: 'http://trove.example:8779/v1.0/' }],
      },
    ],
  });
});

test('a missing or wrong token is 401 in the shape of Keystone, also where the path does not exist', async () => {
  for (const path of ['/instances', '/nothing/here']) {
    for (const headers of [{}, { 'x-auth-token': 'wrong-and-long-enough' }]) {
      const answer = await api.send('GET', path, { as: null, headers });
      expect([answer.code, answer.body]).toEqual([
        401,
        { error: { code: 401, title: 'Unauthorized', message: 'The request you have made requires authentication.' } },
      ]);
      expect(answer.headers['www-authenticate']).toMatch(/^Keystone uri=/);
    }
  }
});

test('the project in the URL must be the token’s: 403 in the shape that the client accepts', async () => {
  const path = `//v1.0/${OTHER_PROJECT}/instances`;
  for (const as of ['alice', 'admin'] as const) {
    const message = 'The project in the URL is not the project of the token.';
    expect((await api.send('GET', path, { as })).body).toEqual({ forbidden: { code: 403, message } });
    const json = await api.send('GET', path, { as, headers: { accept: 'application/json' } });
    expect([json.code, json.body]).toEqual([403, { code: '403 Forbidden', title: 'Forbidden', message }]);
  }
  for (const bare of ['//v1.0/', '//v1.0', '//v1.0//instances']) expect((await api.send('GET', bare)).code).toBe(403);
  const unreadable = await api.send('GET', '//v1.0/%zz/instances');
  expect([unreadable.code, unreadable.body]).toEqual([
    400,
    { badRequest: { code: 400, message: 'The request could not be understood.' } },
  ]);
});

test.each([
  ['GET', '/nothing'],
  ['PATCH', '/instances'],
  ['POST', '/flavors'],
  ['DELETE', '/datastores/mysql'],
  ['GET', '/instances/x/root'],
  ['GET', '//nothing'],
] as const)('%s %s is not served: 404 itemNotFound', async (method, path) => {
  const answer = await api.send(method, path);
  expect([answer.code, answer.body]).toEqual([
    404,
    { itemNotFound: { code: 404, message: 'The resource could not be found.' } },
  ]);
});

test('every answer has a request id of its own, whatever the client sent', async () => {
  const headers = { 'x-openstack-request-id': 'req-0e1e3ab6-31ec-4f0b-8e9a-6ab7c8f4a001' };
  const [first, second] = [
    await api.send('GET', '/flavors', { headers }),
    await api.send('GET', '/flavors', { headers }),
  ];
  expect(first.headers['x-openstack-request-id']).toMatch(/^req-/);
  expect(first.headers['x-openstack-request-id']).not.toBe(second.headers['x-openstack-request-id']);
});

test('health is OK, and names what is broken', async () => {
  const well = await api.send('GET', '//healthcheck', { as: null });
  expect([well.code, well.text]).toEqual([200, 'OK']);
  const broken = await testApi({ deps: { bus: { state: 'connecting' } } });
  const answer = await broken.send('GET', '//healthcheck', { as: null });
  expect([answer.code, answer.text]).toEqual([503, '{"part":"bus","reason":"connecting"}\n']);
  expect(await createInstance(broken)).toMatch(/^[0-9a-f-]{36}$/);
  await broken.dispose();
});

test('a catalog that cannot be reached is 503 with Retry-After, and nothing of it is told', async () => {
  const nowhere = openCatalog({ connection: 'mysql://trove:hidden@127.0.0.1:1/nowhere' });
  const deaf = await testApi({ deps: { catalog: nowhere } });
  for (const [method, body] of [
    ['GET', undefined],
    ['POST', newInstance()],
  ] as const) {
    const answer = await deaf.send(method, '/instances', { body });
    expect([answer.code, answer.body]).toEqual([
      503,
      { serviceUnavailable: { code: 503, message: 'The catalog cannot be reached.' } },
    ]);
    expect(answer.headers['retry-after']).toBe('5');
  }
  const health = await deaf.send('GET', '//healthcheck', { as: null });
  expect([health.code, health.text]).toEqual([503, '{"part":"catalog","reason":"no answer"}\n']);
  await nowhere.close();
  await deaf.dispose();
});

const ASKED = { acceptsJson: true, reads: true };

test('an error of ours is 500 with an id and nothing else', () => {
  const { httpCode, body, incident } = answerTo(new Error('secret detail'), ASKED);
  expect(httpCode).toBe(500);
  expect(body).toEqual({ instanceFault: { code: 500, message: `An internal error occurred; its id is ${incident}.` } });
});

test('every code has an HTTP code with a fault name of Trove', () => {
  for (const code of ERROR_CODES) {
    expect(FAULT_NAMES[HTTP_CODES[code]]).toBeDefined();
    expect(
      JSON.stringify(answerTo(new TroveError(code, 'public', { cause: new Error('hidden') }), ASKED).body),
    ).not.toContain('hidden');
  }
});

test('the OpenAPI document has every route with the schemas that check it', async () => {
  const { code, body } = await api.send('GET', '//openapi.json', { as: null });
  expect(code).toBe(200);
  const document = body as { openapi: string; paths: Record<string, Record<string, unknown>> };
  expect(document.openapi).toBe('3.1.0');
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  expect(operations).toHaveLength(30);
  expect(operations).toContain('post /v1.0/{project_id}/instances/{instance_id}/action');
  expect(document.paths['/v1.0/{project_id}/instances']?.['post']).toMatchObject({
    requestBody: { content: { 'application/json': { schema: { properties: { instance: { required: ['name'] } } } } } },
  });
});

test('a member of the second project works in the second project', async () => {
  expect((await api.send('GET', '/instances', { as: 'bob' })).body).toEqual({ instances: [] });
  expect(PROJECT).not.toBe(OTHER_PROJECT);
});

test('an address that is in use is a fault of the configuration that names it', async () => {
  const port = Number(new URL(await api.api.listen({ host: '127.0.0.1', port: 0 })).port);
  const second = await testApi();
  await expect(second.api.listen({ host: '127.0.0.1', port })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: `[DEFAULT] bind_host, bind_port: cannot listen on 127.0.0.1:${port} (EADDRINUSE): something listens there; stop it, or set another bind_port`,
  });
  await second.dispose();
});
