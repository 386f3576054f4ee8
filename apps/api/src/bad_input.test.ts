import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { booksOf, createInstance, makeActive, newInstance } from './testing/instances.ts';
import { PROJECT, type TestApi, testApi } from './testing/test_api.ts';

describe.each(['sqlite', 'mysql'] as const)('what is refused leaves nothing behind, on %s', (dialect) => {
  let api: TestApi;
  let served: string;
  let before: unknown;
  beforeAll(async () => {
    api = await testApi({ dialect, settings: { maxVolumeSize: 10 } });
    served = await createInstance(api, { name: 'served' });
    await makeActive(api, served);
  });
  beforeEach(async () => {
    api.asked.length = 0;
    before = await booksOf(api);
  });
  afterEach(async () => {
    expect(await booksOf(api)).toEqual(before);
    expect(api.asked).toEqual([]);
  });
  afterAll(() => api.dispose());

  const named = (name: unknown) => newInstance({ name });
  const withDatabase = (name: string) => newInstance({ databases: [{ name }] });
  const withUser = (user: object) =>
    newInstance({ databases: [{ name: 'd1' }], users: [{ name: 'u1', password: 'p', ...user }] });

  test.each([
    ['no instance', {}, /^Validation error: 'instance' is a required property$/],
    ['no name', { instance: {} }, /^Validation error: instance 'name' is a required property$/],
    ['a name of another type', named(5), /^Validation error: instance\['name'\] 5 is not of type 'string'$/],
    ['an empty name', named(''), /instance\['name'\] '' is too short$/],
    ['a name without a letter or digit', named('---'), /'---' does not match/],
    ['a name too long', named('n'.repeat(256)), /is too long$/],
    ['a name with an emoji', named('db 🐬'), /character that cannot be stored/],
    ['a name with half an emoji', named('db \ud83d'), /character that cannot be stored/],
    ['a zone with half an emoji', newInstance({ availability_zone: 'a\ud83d' }), /character that cannot be stored/],
    ['no flavor', newInstance({ flavorRef: undefined }), /'flavorRef' is a required property$/],
    ['a flavor of another type', newInstance({ flavorRef: {} }), /instance\['flavorRef'\] \{\.\.\.\} is not valid/],
    ['an unknown flavor', newInstance({ flavorRef: 99 }), /^Flavor 99 cannot be found\.$/],
    ['no datastore', newInstance({ datastore: undefined }), /^Please specify datastore\./],
    [
      'an unknown version',
      newInstance({ datastore: { type: 'mysql', version: '1.2' } }),
      /^Datastore version '1\.2' cannot be found\.$/,
    ],
    ['an inactive version', newInstance({ datastore: { type: 'mysql', version: '5.5' } }), /is not active\.$/],
    [
      'an image that compute has not',
      newInstance({ datastore: { type: 'mysql', version: '5.7.45' } }),
      /^Image .* cannot be found\.$/,
    ],
    ['no volume', newInstance({ volume: undefined }), /^Volume size was not specified\.$/],
    ['a size of 0', newInstance({ volume: { size: 0 } }), /instance\['volume'\]\['size'\] 0 is not valid/],
    ['a size of "0"', newInstance({ volume: { size: '0' } }), /\['size'\] '0' is not valid/],
    ['a size below 0', newInstance({ volume: { size: -1 } }), /\['size'\]/],
    ['a size with a fraction', newInstance({ volume: { size: 1.5 } }), /\['size'\]/],
    ['a volume type', newInstance({ volume: { size: 1, type: 'fast' } }), /^Volume type 'fast' cannot be found\.$/],
    ['another region', newInstance({ region_name: 'Elsewhere' }), /^Region 'Elsewhere' cannot be found\.$/],
    ['two nics', newInstance({ nics: [{}, {}] }), /\['nics'\] \[\.\.\.\] is too long$/],
    ['a nic without a network', newInstance({ nics: [{}] }), /needs a network_id/],
    [
      'a nic with an unknown key',
      newInstance({ nics: [{ mac: 1 }] }),
      /\['nics'\]\[0\] Additional properties are not allowed \('mac' was unexpected\)$/,
    ],
    [
      'a network that is no uuid',
      newInstance({ nics: [{ 'net-id': 'x' }] }),
      /\['nics'\]\[0\]\['net-id'\] 'x' does not match/,
    ],
    ['a CIDR that is none', newInstance({ access: { allowed_cidrs: ['10.0.0.0/33'] } }), /\['allowed_cidrs'\]\[0\]/],
    ['a database name with a backtick', withDatabase('a`b'), /is not a valid database name/],
    ['a database name with SQL', withDatabase('";DROP'), /is not a valid database name/],
    ['a database name that is an emoji', withDatabase('🐬'), /is not a valid database name/],
    ['a database name too long', withDatabase('d'.repeat(65)), /is not a valid database name/],
    ['a reserved database', withDatabase('MySQL'), /is reserved/],
    ['a database twice', newInstance({ databases: [{ name: 'a' }, { name: 'a' }] }), /already exists/],
    [
      'a character set with SQL',
      newInstance({ databases: [{ name: 'a', character_set: 'x; DROP' }] }),
      /not a valid character set/,
    ],
    ['a user with a quote', withUser({ name: "a'b" }), /is not a valid user name/],
    ['a user too long', withUser({ name: 'u'.repeat(17) }), /is not a valid user name/],
    ['a reserved user', withUser({ name: 'root' }), /is reserved/],
    ['a host that is none', withUser({ host: 'example.org' }), /is not a valid host/],
    ['a host beyond 255', withUser({ host: '10.0.0.256' }), /is not a valid host/],
    ['a database of a user that is not made', withUser({ databases: [{ name: 'd2' }] }), /not among the databases/],
    [
      'an access that is neither true nor false',
      newInstance({ access: { is_public: 'yes' } }),
      /\['is_public'\] 'yes' is not of type 'boolean'$/,
    ],
  ])('create with %s is 400', async (_what, body, message) => {
    const answer = await api.send('POST', '/instances', { body });
    expect(answer.code).toBe(400);
    expect(answer.body).toEqual({ badRequest: { code: 400, message: expect.stringMatching(message) } });
  });

  test('an unknown datastore is 404', async () => {
    const answer = await api.send('POST', '/instances', { body: newInstance({ datastore: { type: 'oracle' } }) });
    expect([answer.code, answer.body]).toEqual([
      404,
      { itemNotFound: { code: 404, message: "Datastore 'oracle' cannot be found." } },
    ]);
  });

  test('a volume too large is 413', async () => {
    const answer = await api.send('POST', '/instances', { body: newInstance({ volume: { size: 11 } }) });
    expect(answer.body).toEqual({
      overLimit: { code: 413, message: expect.stringContaining('maximum of 10 GB, 11 cannot be accepted') },
    });
  });

  test('no answer shows a password', async () => {
    const users = [{ name: 'u', password: 's3cret'.repeat(60) }];
    const answer = await api.send('POST', '/instances', { body: newInstance({ users }) });
    expect(answer.code).toBe(400);
    expect(answer.text).not.toContain('s3cret');
  });

  test.each(['{"instance": {', 'null x', '{"__proto__": {}}'])(
    'wrong JSON is 400 in the shape that the client accepts: %s',
    async (body) => {
      const plain = await api.send('POST', '/instances', { body });
      expect(plain.body).toEqual({
        badRequest: { code: 400, message: 'Malformed request body: cannot understand JSON.' },
      });
      const json = await api.send('POST', '/instances', { body, headers: { accept: 'application/json' } });
      expect(json.body).toEqual({
        code: '400 Bad Request',
        title: 'Bad Request',
        message: 'Malformed request body: cannot understand JSON.',
      });
    },
  );

  test('a body of 10 MB is 413 and is not read', async () => {
    const answer = await api.send('POST', '/instances', { body: JSON.stringify(named('n'.repeat(10 * 1024 * 1024))) });
    expect([answer.code, answer.body]).toEqual([
      413,
      { overLimit: { code: 413, message: 'The request body is too large.' } },
    ]);
  });

  test('another media type is 415; a body without a type is ignored', async () => {
    const headers = { 'content-type': 'text/plain' };
    expect((await api.send('POST', '/instances', { body: 'x', headers })).code).toBe(415);
    const untyped = await api.api.app.inject({
      method: 'POST',
      url: `/v1.0/${PROJECT}/instances`,
      headers: { 'x-auth-token': 'member-of-the-first' },
      payload: Buffer.from(JSON.stringify(newInstance())),
    });
    expect(untyped.statusCode).toBe(400);
  });

  test('a token of another project is 403 in the URL of this one, for an admin too', async () => {
    for (const as of ['alice', 'admin'] as const) {
      const path = '//v1.0/1111111111111111111111111111111f/instances';
      expect((await api.send('POST', path, { as, body: newInstance() })).code).toBe(403);
    }
  });

  test.each([
    ['GET', ''],
    ['DELETE', ''],
    ['PATCH', ''],
    ['PUT', ''],
    ['POST', '/action'],
    ['GET', '/databases'],
    ['POST', '/databases'],
    ['DELETE', '/databases/d1'],
    ['GET', '/users'],
    ['POST', '/users'],
  ] as const)('%s of an id that is none, or of another project, is the same 404: %s', async (method, rest) => {
    const bodies: Record<string, unknown> = {
      PATCH: { instance: { datastore_version: '5.7.44' } },
      PUT: { instance: { name: 'x' } },
      'POST/action': { restart: {} },
      'POST/databases': { databases: [{ name: 'a' }] },
      'POST/users': { users: [{ name: 'a', password: 'p' }] },
    };
    const body = bodies[method] ?? bodies[`${method}${rest}`];
    for (const id of [
      'none',
      '0e1e3ab6-31ec-4f0b-8e9a-6ab7c8f4afff',
      '%F0%9F%90%AC',
      served.toUpperCase(),
      `${served}%20`,
    ]) {
      const answer = await api.send(method, `/instances/${id}${rest}`, { body });
      expect([id, answer.code]).toEqual([id, 404]);
    }
    const foreign = await api.send(method, `/instances/${served}${rest}`, { as: 'bob', body });
    expect([foreign.code, foreign.body]).toEqual([
      404,
      { itemNotFound: { code: 404, message: `Resource ${served} cannot be found.` } },
    ]);
  });

  test.each(['a`b', '";DROP', '🐬', 'mysql', 'a b'])(
    'the database name %s is 400 and the guest is not asked',
    async (name) => {
      const made = await api.send('POST', `/instances/${served}/databases`, { body: { databases: [{ name }] } });
      expect(made.code).toBe(400);
      expect((await api.send('DELETE', `/instances/${served}/databases/${encodeURIComponent(name)}`)).code).toBe(400);
    },
  );

  test.each([
    [{ instance: { datastore_version: '1.2' } }, 400],
    [{ instance: { datastore_version: '0e1e3ab6-31ec-4f0b-8e9a-6ab7c8f4afff' } }, 404],
    [{ instance: { datastore_version: '5.5' } }, 400],
    [{ instance: { datastore_version: '5.7.45' } }, 400],
    [{ instance: { datastore_version: '8.4' } }, 400],
    [{ instance: { datastore_version: '5.7.44', configuration: 'x' } }, 400],
    [{ instance: { configuration: 'x' } }, 501],
    [{ instance: { unknown: 1 } }, 400],
    [{ instance: { name: 'emoji 🐬' } }, 400],
  ])('an upgrade or update to what cannot be is refused: %j', async (body, code) => {
    for (const method of ['PATCH', 'PUT'] as const)
      expect((await api.send(method, `/instances/${served}`, { body })).code).toBe(code);
  });
});
