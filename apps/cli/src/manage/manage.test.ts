import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { activateKey, claimRings, LATEST_VERSION, openCatalog, storePendingKey, withTransaction } from '@trove/catalog';
import { Secret } from '@trove/common';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EXIT } from '../exit.ts';
import { createManage } from './manage.ts';
import type { ManageIo } from './session.ts';

const NOWHERE = { notChecked: 'nothing is outside of this test' };
let directory: string;
let config: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'trove-manage-'));
  config = join(directory, 'trove.conf');
  writeFileSync(config, `[database]\nconnection = ${connection()}\n[oslo_messaging_rabbit]\nssl = True\n`);
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

const connection = () => `sqlite:///${join(directory, 'catalog.sqlite')}`;

async function manage(argv: readonly string[], io: Partial<ManageIo> = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const stdout = { write: (text: string) => out.push(text) };
  const stderr = { write: (text: string) => err.push(text) };
  const outside = async () => ({
    things: NOWHERE,
    flavors: NOWHERE,
    broker: NOWHERE,
    secrets: [],
    tap: () => ({ notChecked: 'none' }),
  });
  const code = await createManage({
    stdout,
    stderr,
    env: {},
    images: async () => [],
    rotate: async () => '',
    rebuild: async () => '',
    outside,
    ...io,
  }).run(argv);
  return { code, out: out.join(''), err: err.join('') };
}

const run = (...argv: string[]) => manage(['--config-file', config, ...argv]);

describe('the version of the catalog', () => {
  test('a step is a line, and a second sync does nothing', async () => {
    expect(await run('db_sync', '--to', '40')).toEqual({ code: EXIT.ok, out: '0 -> 40... done\n', err: '' });
    expect((await run('db_sync', '--to', '41')).out).toBe('40 -> 41... done\n');
    expect((await run('db_version')).out).toBe('41\n');
    expect((await run('db_sync')).out).toMatch(/^41 -> 42\.\.\. done\n[^]*\.\.\. done\n$/);
    expect(await run('db_sync')).toEqual({ code: EXIT.ok, out: '', err: '' });
    expect((await run('db_version')).out).toBe(`${LATEST_VERSION}\n`);
  });

  test('keys are dropped only when it is said', async () => {
    await run('db_sync');
    const catalog = openCatalog({ connection: connection() });
    await catalog
      .knex('instances')
      .insert({ id: 'i', name: 'm20', deleted: 0, encrypted_key: 'k', datastore_version_id: null });
    await catalog.knex('instances').update({ encrypted_key: 'sealed' });
    await catalog.close();
    expect(await run('db_downgrade', '43')).toMatchObject({ code: EXIT.ok });
    const refused = await run('db_downgrade', '40');
    expect(refused).toMatchObject({ code: EXIT.refused, out: '' });
    expect(refused.err).toMatch(/^trove-manage: .*keys of 1 instance.*--drop-keys/);
  });

  test.each([
    ['db_sync --to 99', EXIT.refused, 'no version 99'],
    ['db_sync --to new', EXIT.usage, 'whole number'],
    ['db_downgrade', EXIT.usage, "missing required argument 'version'"],
    ['db_downgrade 40', EXIT.refused, 'db_sync has not been run'],
    ['nothing', EXIT.usage, "unknown command 'nothing'"],
  ])('%s is told what is wrong', async (line, code, message) => {
    const result = await run(...line.split(' '));
    expect(result.code).toBe(code);
    expect(result.err).toContain(message);
  });
});

describe('datastores', () => {
  test('are set as with the command of Trove', async () => {
    await run('db_sync');
    expect((await run('datastore_update', 'mysql', '')).out).toBe("Datastore 'mysql' updated.\n");
    expect((await run('datastore_version_update', 'mysql', '5.6', 'mysql', 'image', 'mysql-server-5.6', '1')).out).toBe(
      "Datastore version '5.6' updated.\n",
    );
    expect(
      (await run('datastore_version_update', 'mysql', '5.6', 'mysql', 'image', '', '0', '--version', '5.6.2')).code,
    ).toBe(EXIT.ok);
    expect((await run('datastore_update', 'mysql', '5.6')).err).toContain("Several versions are named '5.6'");
    const catalog = openCatalog({ connection: connection() });
    expect(await catalog.knex('datastore_versions').orderBy('version').select('version', 'active', 'packages')).toEqual(
      [
        { version: '5.6', active: 1, packages: 'mysql-server-5.6' },
        { version: '5.6.2', active: 0, packages: '' },
      ],
    );
    await catalog.close();
  });

  test('that are not there are an exit code of their own, a wrong argument another', async () => {
    await run('db_sync');
    expect(await run('datastore_version_update', 'none', '5.6', 'mysql', 'i', '', '1')).toMatchObject({
      code: EXIT.notFound,
      out: '',
    });
    expect(await run('datastore_update', 'mysql', 'none')).toMatchObject({ code: EXIT.notFound });
    expect(await run('datastore_version_update', 'none', '5.6', 'mysql', 'i', '', 'yes')).toMatchObject({
      code: EXIT.usage,
    });
  });

  test('wait until the catalog is at the version of this release', async () => {
    await run('db_sync', '--to', '48');
    expect(await run('datastore_update', 'mysql', '')).toMatchObject({
      code: EXIT.refused,
      err: expect.stringContaining('db_sync') as string,
    });
  });
});

describe('configuration', () => {
  test('the last file wins, and the environment over it', async () => {
    const other = join(directory, 'other.conf');
    writeFileSync(other, `[database]\nconnection = sqlite:///${join(directory, 'other.sqlite')}\n`);
    await run('db_sync', '--to', '40');
    expect((await manage(['--config-file', other, '--config-file', config, 'db_version'])).out).toBe('40\n');
    expect((await manage(['--config-file', config, '--config-file', other, 'db_version'])).out).toBe('0\n');
    const env = { TROVE_DATABASE__CONNECTION: connection() };
    expect((await manage(['--config-file', other, 'db_version'], { env })).out).toBe('40\n');
    expect((await manage(['db_version'], { env: { TROVE_HOME: directory } })).out).toBe('40\n');
  });

  test.each([
    ['[databse]\nconnection = x\n', /trove\.conf:2: \[databse\]/],
    ['[database]\nconection = x\n', /did you mean connection\?/],
    ['[database]\nconnection = oracle://x\n', /neither mysql:.* nor sqlite/],
    ['[DEFAULT]\nhost = a\n', /\[database\] connection is not set in/],
  ])('what is wrong in a file is told: %j', async (text, message) => {
    writeFileSync(config, text);
    const result = await run('db_version');
    expect(result.code).toBe(EXIT.usage);
    expect(result.err).toMatch(message);
  });

  test('a catalog that cannot be reached is an exit code of its own, and no password is shown', async () => {
    for (const url of ['mysql://trove:hidden@127.0.0.1:1/trove', 'sqlite:////nowhere/at/all.sqlite']) {
      const result = await manage(['db_version'], { env: { TROVE_HOME: directory, TROVE_DATABASE__CONNECTION: url } });
      expect(result).toMatchObject({
        code: EXIT.unreachable,
        err: expect.stringContaining('cannot be reached') as string,
      });
      expect(result.err).not.toContain('hidden');
    }
  });
});

describe('keys', () => {
  const withKeys = (...lines: string[]) => {
    const file = join(directory, 'taskmanager.conf');
    writeFileSync(file, ['[DEFAULT]', ...lines, ''].join('\n'));
    return (...argv: string[]) => manage(['--config-file', config, '--config-file', file, ...argv]);
  };

  test('are shown by id, never themselves, and rewrapped to the first of the ring', async () => {
    await run('db_sync');
    const [first, second] = [new Secret('a-first-kek-of-ours'), new Secret('a-second-kek-of-ours')];
    const catalog = openCatalog({ connection: connection() });
    const id = '792fa220-2a40-4831-85af-cfb0ded8033c';
    await catalog.knex('instances').insert({ id, name: 'm', deleted: 0, datastore_version_id: null });
    const instanceKey = new Secret('eRz43LwE6eaxIbBlA2pNukzPjSdcQkVi');
    const key = { instanceId: id, version: 1, fence: 0n, kcv: '0'.repeat(12), instanceKey };
    await withTransaction(catalog, async (tx) => {
      const rings = { instance: [second], uplink: [] };
      await storePendingKey(tx, rings, { ...key, uplinkKey: new Secret(Buffer.alloc(32)) });
      await activateKey(tx, rings, key);
    });
    await catalog.close();
    const both = withKeys(
      `inst_rpc_key_encr_key = ${first.reveal()}, ${second.reveal()}`,
      'taskmanager_rpc_encr_key = our-k1',
    );
    const before = (await both('keys', 'status')).out;
    expect(before).toMatch(/\| inst_rpc_key_encr_key +\| 1 +\| [0-9a-f]{8} \| 0 +\| seals +\|/);
    expect(before).toMatch(/\| inst_rpc_key_encr_key +\| 2 +\| [0-9a-f]{8} \| 2 +\| needed until rewrap +\|/);
    expect((await both('keys', 'rewrap')).out).toBe(
      '3 moved, 0 still need an old key, 0 open under no key of these files.\n',
    );
    const after = (await both('keys', 'status')).out;
    expect(after).toMatch(/\| inst_rpc_key_encr_key +\| 2 +\| [0-9a-f]{8} \| 0 +\| may go, 24 h/);
    expect(before + after).not.toMatch(/of-ours|our-k1/);
  });

  test('that are lost are given up by name, and only where something rests under them', async () => {
    await run('db_sync');
    const catalog = openCatalog({ connection: connection() });
    await claimRings(catalog, { control: [new Secret('our-k1')], instance: [new Secret('lost-kek')], uplink: [] });
    await catalog.close();
    const files = withKeys('inst_rpc_key_encr_key = a-new-kek-of-ours', 'taskmanager_rpc_encr_key = our-k1');
    expect((await files('keys', 'accept')).out).toBe('Accepted: inst_rpc_key_encr_key, inst_rpc_uplink_encr_key.\n');
    expect((await files('keys', 'accept')).out).toBe('The keys of these files count already.\n');
  });

  test('are asked for where the files have none, and a published one is refused', async () => {
    await run('db_sync');
    expect(await run('keys', 'status')).toMatchObject({
      code: EXIT.usage,
      err: expect.stringContaining('hold no inst_rpc_key_encr_key') as string,
    });
    const published = withKeys('inst_rpc_key_encr_key = emYjgHFqfXNB1NGehAFIUeoyw4V4XwWHEaKP');
    expect((await published('keys', 'rewrap')).err).toContain('default that Trove published');
  });
});

test('an instance in quarantine is listed and spoken to again when an operator says so', async () => {
  await run('db_sync');
  const catalog = openCatalog({ connection: connection() });
  await catalog.knex('instances').insert({ id: 'i1', name: 'm', deleted: 0, datastore_version_id: null });
  await catalog.knex('instance_reports').insert({ instance_id: 'i1', quarantined_at: 1_700_000_000_000_000 });
  await catalog.close();
  expect((await run('quarantine', 'list')).out).toMatch(/\| i1 +\| 2023-11-14T22:13:20.000Z \|/);
  expect((await run('quarantine', 'lift', 'i1')).out).toBe('Quarantine of instance i1 lifted.\n');
  expect((await run('quarantine', 'lift', 'i1')).code).toBe(EXIT.notFound);
  expect((await run('quarantine', 'list')).out).not.toContain('i1');
});

test('images are those of the compute driver that was handed in', async () => {
  const images: ManageIo['images'] = async ({ compute_local }) => [
    { id: 'fd6f3a0e', name: compute_local.root, manager: 'mysql', version: '10.11' },
  ];
  writeFileSync(config, '[compute_local]\nroot = /of/this/test\n');
  const { out } = await manage(['--config-file', config, 'image-list'], { images });
  expect(out).toMatch(/^\+-+\+[^]*\| fd6f3a0e +\| \/of\/this\/test +\| mysql +\| 10\.11 +\|\n/);
});
