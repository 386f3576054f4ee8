import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { booksOf, createInstance, makeActive, newInstance } from './testing/instances.ts';
import { OTHER_PROJECT, PROJECT, type TestApi, TOKENS, testApi } from './testing/test_api.ts';

let api: TestApi;
let port: number;
let own: string;
let before: unknown;
beforeAll(async () => {
  api = await testApi();
  own = await createInstance(api);
  await makeActive(api, own);
  port = Number(new URL(await api.api.listen({ host: '127.0.0.1', port: 0 })).port);
});
beforeEach(async () => {
  before = await booksOf(api);
});
afterAll(() => api.dispose());

/** Everything that comes back for these bytes until the api closes the connection, as it does after the last of them. */
async function answersTo(...lines: readonly string[]): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  socket.setEncoding('latin1').on('data', (text) => {
    received += text;
  });
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()).on('error', () => resolve()));
  socket.write(lines.join('\r\n'), 'latin1');
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 10_000).unref())]);
  socket.destroy();
  return received;
}

const codesIn = (answers: string): number[] =>
  [...answers.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, code]) => Number(code));
const bodyIn = (answer: string): unknown => JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')).trim() || 'null');

/** Shows the instance; only an admin sees whose it is and where. */
const show = (...headers: readonly string[]): readonly string[] => [
  `GET /v1.0/${PROJECT}/instances/${own} HTTP/1.1`,
  'Host: trove.example',
  'Connection: close',
  ...headers,
  '',
  '',
];

const ALICE = `X-Auth-Token: ${TOKENS.alice}`;

describe('A35: who asks is in the token and nowhere else', () => {
  test('an admin sees more than a member, so that a change of identity would show', async () => {
    const [member, admin] = [
      bodyIn(await answersTo(...show(ALICE))),
      bodyIn(await answersTo(...show(`X-Auth-Token: ${TOKENS.admin}`))),
    ];
    expect(Object.keys((member as { instance: object }).instance)).not.toContain('tenant_id');
    expect(Object.keys((admin as { instance: object }).instance)).toContain('tenant_id');
  });

  test.each([
    [
      'as Keystone names it',
      ['X-Roles: admin', 'X-Role: admin', 'X-Is-Admin-Project: True', 'X-Identity-Status: Confirmed'],
    ],
    [
      'another project',
      [`X-Tenant-Id: ${OTHER_PROJECT}`, `X-Project-Id: ${OTHER_PROJECT}`, `X-Tenant: ${OTHER_PROJECT}`],
    ],
    ['another user', ['X-User-Id: id-of-admin', 'X-User: admin', 'X-User-Name: admin', 'REMOTE_USER: admin']],
    [
      'with underscores',
      ['X_ROLES: admin', 'X_ROLE: admin', `X_TENANT_ID: ${OTHER_PROJECT}`, `X_AUTH_TOKEN: ${TOKENS.admin}`],
    ],
    ['in mixed case, twice', ['x-rOLES: member', 'X-ROLES: admin', 'X-roles: admin,member']],
    [
      'for the service and for a proxy',
      ['X-Service-Roles: admin', `X-Service-Token: ${TOKENS.admin}`, 'X-Forwarded-User: admin'],
    ],
    ['after a blank that is folded away', [`X-Trace: a\r\n\tX-Auth-Token: ${TOKENS.admin}`]],
    ['to be taken off on the way', [`Connection: X-Auth-Token`, 'X-Roles: admin']],
  ])('a header %s changes nothing', async (_, headers) => {
    const [plain, answer] = [await answersTo(...show(ALICE)), await answersTo(...show(ALICE, ...headers))];
    if (codesIn(answer)[0] === 400) return expect(codesIn(answer)).toEqual([400]);
    expect([codesIn(answer), bodyIn(answer)]).toEqual([[200], bodyIn(plain)]);
  });

  test.each([
    ['none', []],
    ['one in an underscore', [`X_Auth_Token: ${TOKENS.admin}`]],
    [
      'one in another header',
      [
        `Authorization: Bearer ${TOKENS.admin}`,
        `X-Subject-Token: ${TOKENS.admin}`,
        `Cookie: X-Auth-Token=${TOKENS.admin}`,
      ],
    ],
    ['two that differ', [ALICE, `X-Auth-Token: ${TOKENS.admin}`]],
    ['two alike', [ALICE, ALICE]],
    ['two in one', [`X-Auth-Token: ${TOKENS.alice}, ${TOKENS.admin}`]],
    ['one with something behind it', [`${ALICE}\u00a0`]],
    ['a prefix of one', [ALICE.slice(0, -1)]],
  ])('a token that is %s is no token', async (_, headers) => {
    const answer = await answersTo(...show(...headers));
    expect(codesIn(answer)).toEqual([401]);
    expect(answer).not.toContain(own);
  });

  test('no header leads into the URL of another project', async () => {
    const headers = [
      ALICE,
      `X-Project-Id: ${OTHER_PROJECT}`,
      'X-Roles: admin',
      `X-Original-URL: /v1.0/${PROJECT}/instances`,
    ];
    const [, ...rest] = show(...headers);
    for (const target of [
      `/v1.0/${OTHER_PROJECT}/instances`,
      `/v1.0/${PROJECT}/../${OTHER_PROJECT}/instances`,
      `//v1.0/${OTHER_PROJECT}/instances`,
    ])
      expect([403, 404]).toContain(codesIn(await answersTo(`GET ${target} HTTP/1.1`, ...rest))[0]);
    const absolute = await answersTo(`GET http://elsewhere/v1.0/${OTHER_PROJECT}/instances HTTP/1.1`, ...rest);
    expect(codesIn(absolute).every((code) => code >= 400)).toBe(true);
  });
});

describe('A35: a request ends where everybody sees it end', () => {
  const inner = JSON.stringify(newInstance({ name: 'smuggled' }));
  /** A create as an admin, to be taken for a request of its own by whoever counts otherwise. */
  const second = [
    `POST /v1.0/${PROJECT}/instances HTTP/1.1`,
    'Host: trove.example',
    `X-Auth-Token: ${TOKENS.admin}`,
    'Content-Type: application/json',
    `Content-Length: ${inner.length}`,
    'Connection: close',
    '',
    inner,
  ].join('\r\n');
  const post = (): readonly string[] => [
    `POST /v1.0/${PROJECT}/instances/${own}/action HTTP/1.1`,
    'Host: trove.example',
    ALICE,
    'Content-Type: application/json',
  ];

  test.each([
    ['chunked and with a length', ['Content-Length: 5', 'Transfer-Encoding: chunked'], `0\r\n\r\n${second}`],
    [
      'with a length and chunked',
      ['Transfer-Encoding: chunked', `Content-Length: ${second.length + 5}`],
      `0\r\n\r\n${second}`,
    ],
    ['of two lengths', ['Content-Length: 0', `Content-Length: ${second.length}`], second],
    ['of two lengths in one', [`Content-Length: 0, ${second.length}`], second],
    ['of a length with a sign', ['Content-Length: +0'], second],
    ['chunked by another name', ['Transfer-Encoding: xchunked'], `0\r\n\r\n${second}`],
    ['chunked twice', ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], `0\r\n\r\n${second}`],
    ['chunked after a blank', ['Transfer-Encoding : chunked'], `0\r\n\r\n${second}`],
    ['chunked behind a tab', ['Transfer-Encoding:\tchunked', 'Content-Length: 0'], `0\r\n\r\n${second}`],
    ['chunked with a size that is none', ['Transfer-Encoding: chunked'], `0x0\r\n\r\n${second}`],
    [
      'with a header that is folded',
      ['X-Fold: a', ' Content-Length: 0', 'Transfer-Encoding: chunked', 'Content-Length: 0'],
      second,
    ],
  ])('one that is %s is refused, and what follows it is not heard', async (_, headers, rest) => {
    const answers = await answersTo(...post(), ...headers, '', rest);
    expect(codesIn(answers)).toEqual([400]);
    expect(await booksOf(api)).toEqual(before);
  });

  test('one that is well formed is heard, and so is the next on the same connection', async () => {
    const body = '{"nonsense":{}}';
    const answers = await answersTo(...post(), `Content-Length: ${body.length}`, '', `${body}${second}`);
    expect(codesIn(answers)).toEqual([400, 200]);
    expect(JSON.stringify(await booksOf(api))).toContain('smuggled');
  });
});
