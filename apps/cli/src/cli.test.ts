import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { harness, ID, instance, listed, OTHER } from '../test/harness.ts';
import { createCli } from './cli.ts';
import { EXIT } from './exit.ts';

describe('tables', () => {
  test('a list is a table with one rule under its head and a column per field', async () => {
    const { run, out } = harness(listed(instance()));
    expect(await run('list')).toBe(EXIT.ok);
    const lines = out().trimEnd().split('\n');
    expect(lines).toHaveLength(5);
    expect(lines[0]).toMatch(/^\+-+(\+-+)+\+$/);
    expect(lines[1]?.split('|').map((cell) => cell.trim())).toEqual([
      '',
      'id',
      'name',
      'datastore',
      'datastore_version',
      'status',
      'flavor_id',
      'size',
      'region',
      '',
    ]);
    expect(lines[3]?.split('|').map((cell) => cell.trim())).toEqual([
      '',
      ID,
      'm2',
      'mysql',
      '5.6',
      'ACTIVE',
      '25',
      '3',
      'RegionOne',
      '',
    ]);
  });

  test('one thing is Property and Value in order of names: nested ones flat, links left out, null None, false False, the port shown', async () => {
    const { run, out } = harness({
      ...listed(instance()),
      [`GET /instances/${ID}`]: () => ({ body: { instance: instance() } }),
    });
    expect(await run('show', 'm2')).toBe(EXIT.ok);
    const cells = out()
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .map((line) =>
        line
          .split('|')
          .slice(1, 3)
          .map((cell) => cell.trim()),
      );
    expect(cells).toEqual([
      ['Property', 'Value'],
      ['addresses', '127.0.0.1:40001 (private)'],
      ['datastore', 'mysql'],
      ['datastore_version', '5.6'],
      ['encrypted_rpc_messaging', 'False'],
      ['flavor', '25'],
      ['id', ID],
      ['name', 'm2'],
      ['operating_status', 'HEALTHY'],
      ['region', 'RegionOne'],
      ['server_id', 'None'],
      ['status', 'ACTIVE'],
      ['volume', '3'],
      ['volume_used', '0.12'],
    ]);
  });

  test('--json prints what the server said, and nothing else', async () => {
    const { run, out } = harness({
      ...listed(instance()),
      [`GET /instances/${ID}`]: () => ({ body: { instance: instance() } }),
    });
    await run('show', 'm2', '--json');
    expect(JSON.parse(out())).toEqual(instance());
  });

  test('control characters in a name do not reach the terminal', async () => {
    const { run, out } = harness(listed(instance({ name: 'a\u001b[2Jb' })));
    await run('list');
    expect(out()).not.toContain('\u001b');
    expect(out()).toContain('a\\x1b[2Jb');
  });
});

describe('finding an instance by name', () => {
  test('a name on a later page is found', async () => {
    const { run } = harness({
      'GET /instances': () => ({
        body: { instances: [], links: [{ rel: 'next', href: 'https://x/instances?marker=m1' }] },
      }),
      'GET /instances?marker=m1': () => ({ body: { instances: [instance()] } }),
      [`GET /instances/${ID}`]: () => ({ body: { instance: instance() } }),
    });
    expect(await run('show', 'm2')).toBe(EXIT.ok);
  });

  test('a name that two have is refused with both ids', async () => {
    const { run, err } = harness(listed(instance(), instance({ id: OTHER })));
    expect(await run('show', 'm2')).toBe(EXIT.refused);
    expect(err()).toContain(ID);
    expect(err()).toContain(OTHER);
  });

  test('a name that none has is exit code 3', async () => {
    const { run, err } = harness(listed());
    expect(await run('show', 'm9')).toBe(EXIT.notFound);
    expect(err()).toContain("'m9'");
  });
});

describe('create', () => {
  const routes = (created: (body: unknown) => void) => ({
    'GET /flavors/25': () => ({ body: { flavor: {} } }),
    'POST /instances': (body: unknown) => {
      created(body);
      return { body: { instance: instance({ status: 'BUILD' }) } };
    },
  });

  test("the operator's line becomes Trove's body", async () => {
    let body: unknown;
    const { run } = harness(routes((sent) => (body = sent)));
    const code = await run(
      'create',
      'm10',
      '25',
      '--size',
      '3',
      '--nic',
      `net-id=${OTHER}`,
      '--databases',
      'a',
      'b',
      '--users',
      'u:p:w',
    );
    expect(code).toBe(EXIT.ok);
    expect(body).toEqual({
      instance: {
        name: 'm10',
        flavorRef: '25',
        volume: { size: 3 },
        databases: [{ name: 'a' }, { name: 'b' }],
        users: [{ name: 'u', password: 'p:w', databases: [{ name: 'a' }, { name: 'b' }] }],
        nics: [{ 'net-id': OTHER }],
      },
    });
  });
});

describe('errors', () => {
  test("the server's text is shown, with exit code 1", async () => {
    const { run, err } = harness({
      'GET /flavors': () => ({ status: 400, body: { badRequest: { code: 400, message: 'Not so.' } } }),
    });
    expect(await run('flavor-list')).toBe(EXIT.refused);
    expect(err()).toBe('trove: Not so. (HTTP 400)\n');
  });

  test('wrong usage is exit code 2', async () => {
    const { run } = harness({});
    expect(await run('create', 'm1')).toBe(EXIT.usage);
    expect(await run('nothing')).toBe(EXIT.usage);
    expect(await run('create', 'm1', '25', '--size', 'big')).toBe(EXIT.notFound);
    expect(await run('--help')).toBe(EXIT.ok);
  });

  test('wrong usage is told in the name of the program, with where its help is', async () => {
    const { run, err, out } = harness({});
    await run('show');
    expect(err()).toBe(
      "trove: missing required argument 'instance'\n  `trove --help` lists the commands, `trove COMMAND --help` what one takes.\n",
    );
    expect(out()).toBe('');
  });

  test('a size of nothing is refused before anybody is asked', async () => {
    const { run, err, asked } = harness({});
    expect(await run('resize-volume', ID, '0')).toBe(EXIT.usage);
    expect(err()).toContain("above 0, not '0'");
    expect(asked).toEqual([]);
  });

  test('a time-out that is none is refused before anything is filed, also for one who does not wait', async () => {
    const { run, err, asked } = harness({ [`GET /instances/${ID}`]: () => ({ body: { instance: instance() } }) });
    expect(await run('restart', ID, '--wait', '--timeout', 'soon')).toBe(EXIT.usage);
    expect(await run('delete', ID, '--timeout', '0')).toBe(EXIT.usage);
    expect(err()).toContain("not 'soon'");
    expect(asked).toEqual([]);
  });

  test('of several to delete none is where one cannot be found', async () => {
    const { run, err, asked } = harness({
      [`GET /instances/${ID}`]: () => ({ body: { instance: instance() } }),
      ...listed(),
    });
    expect(await run('delete', ID, 'm9')).toBe(EXIT.notFound);
    expect(err()).toContain("'m9'");
    expect(asked.filter(({ request }) => request.startsWith('DELETE'))).toEqual([]);
  });

  test('a token that is not known is told with where it was found, and not shown', async () => {
    const { run, err } = harness({
      'GET /flavors': () => ({ status: 401, body: { error: { code: 401, message: 'Who?' } } }),
    });
    expect(await run('flavor-list')).toBe(EXIT.refused);
    expect(err()).toBe('trove: Who? (HTTP 401)\n  http://trove.test:8779 does not know the token of TROVE_TOKEN.\n');
  });

  test('an endpoint that is no address, or has a password in it, is exit code 2 and not shown', async () => {
    for (const TROVE_URL of ['secret7', 'ftp://secret7', 'http://me:secret7@trove.test']) {
      const err: string[] = [];
      const env = { TROVE_URL, TROVE_TOKEN: 't', TROVE_PROJECT_ID: 'p' };
      const cli = createCli({ fetch, stdout: { write: () => true }, stderr: { write: (text) => err.push(text) }, env });
      expect(await cli.run(['list'])).toBe(EXIT.usage);
      expect(err.join('')).toContain('TROVE_URL takes');
      expect(err.join('')).not.toContain('secret7');
    }
  });

  test('a file of tokens that cannot be read is told apart from one that is not there', async () => {
    const home = mkdtempSync(join(tmpdir(), 'trove-cli-'));
    mkdirSync(join(home, 'tokens.json'));
    const err: string[] = [];
    const env = { TROVE_HOME: home };
    const cli = createCli({ fetch, stdout: { write: () => true }, stderr: { write: (text) => err.push(text) }, env });
    expect(await cli.run(['list'])).toBe(EXIT.usage);
    rmSync(home, { recursive: true });
    expect(err.join('')).toContain('tokens.json cannot be read (EISDIR).');
  });

  test('with no server the text says how to start one, with exit code 4', async () => {
    const err: string[] = [];
    const cli = createCli({
      fetch: () =>
        Promise.reject(new TypeError('fetch failed', { cause: Object.assign(new Error(), { code: 'ECONNREFUSED' }) })),
      stdout: { write: () => true },
      stderr: { write: (text) => err.push(text) },
      env: { TROVE_TOKEN: 't', TROVE_PROJECT_ID: 'p', TROVE_HOME: '/nowhere' },
    });
    expect(await cli.run(['list'])).toBe(EXIT.unreachable);
    expect(err.join('')).toContain('npm start');
  });

  test('with neither token nor standalone folder the text says how to start one, with exit code 2', async () => {
    const err: string[] = [];
    const cli = createCli({
      fetch,
      stdout: { write: () => true },
      stderr: { write: (text) => err.push(text) },
      env: { TROVE_HOME: '/nowhere' },
    });
    expect(await cli.run(['list'])).toBe(EXIT.usage);
    expect(err.join('')).toContain('npm start');
  });
});

describe('passwords', () => {
  const found = { [`GET /instances/${ID}`]: () => ({ body: { instance: instance() } }) };

  test('one left out is read from standard input; none is ever printed', async () => {
    const { run, asked, out, err } = harness(
      { ...found, [`POST /instances/${ID}/users`]: () => ({ status: 202 }) },
      'hidden7\n',
    );
    expect(await run('user-create', ID, 'u1', '--databases', 'a')).toBe(EXIT.ok);
    expect(asked.at(-1)?.body).toEqual({ users: [{ name: 'u1', password: 'hidden7', databases: [{ name: 'a' }] }] });
    expect(out() + err()).not.toContain('hidden7');
  });
});

test('a dot in a name is quoted in the path, as Trove wants it', async () => {
  const { run, asked } = harness({ [`GET /instances/${ID}`]: () => ({ body: { instance: instance() } }) });
  await run('database-delete', ID, 'a.b/c');
  expect(asked.at(-1)?.request).toBe(`DELETE /instances/${ID}/databases/a%2eb%2Fc`);
});

test('a reader that has gone is nothing to tell of; an output without room is told, with exit code 1', async () => {
  const program = `'${process.execPath}' '${join(import.meta.dirname, '..', 'bin', 'trove.js')}' --help`;
  const lines = [`(${program}; echo $? >&2) | true`, `${program} > /dev/full; echo $? >&2`];
  const [gone, full] = await Promise.all(lines.map((line) => promisify(execFile)('sh', ['-c', line])));
  expect(gone?.stderr).toBe('0\n');
  expect(full?.stderr).toBe('trove: what it has to say cannot be written (ENOSPC).\n1\n');
});
