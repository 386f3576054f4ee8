import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { accountOfUrl, Secret } from '@trove/common';
import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Outside } from '../../src/demo/outside.ts';
import { keyIn } from '../../src/demo/rows/shared.ts';
import type { MachineRuntime } from '../../src/demo/stack/memory_runtime.ts';
import { outsideOf } from '../../src/demo/stack/outside_of.ts';
import { openRealRuntime } from '../../src/demo/stack/real_runtime.ts';
import { parseProperties } from '../../src/demo/table_reader.ts';
import { CONDUCTOR, forge, guest, rootKey, TASKMANAGER } from './forge.ts';
import { send, settled, until } from './scene.ts';

const LONG_MS = 240_000;

let runtime: MachineRuntime;
let outside: Outside;
let connection: ChannelModel;
/** Of whoever owns the broker. */
let admin: ConfirmChannel;
let id: string;
/** What a server was given at first: what anybody can read who sees what is injected. */
let injected: Files;

interface Files {
  readonly key: string;
  readonly version: number;
  readonly info: string;
  /** The guest's broker account. */
  readonly password: string;
}

beforeAll(async () => {
  runtime = await openRealRuntime(() => undefined);
  outside = outsideOf(runtime);
  await outside.makeOldCatalog();
  expect((await outside.manage(['db_sync'])).code).toBe(0);
  await outside.startControlPlane('sealed');
  connection = await connect(brokerUrl());
  admin = await connection.createConfirmChannel();
  expect((await outside.trove('admin', ['create', 'attacked', '25', '--size', '1', '--databases', 'shop'])).code).toBe(
    0,
  );
  const [row] = await outside.select("SELECT id FROM instances WHERE name = 'attacked'");
  id = String(row?.['id']);
  // The agent needs longer to start than its files to be read.
  await until(() => filesNow() !== undefined, 60_000);
  injected = files();
  await active();
}, LONG_MS);
afterAll(async () => {
  await connection.close();
  await runtime.close();
}, LONG_MS);

const brokerUrl = (): string => runtime.deployment.transportUrl.replace(/^rabbit:/, 'amqp:');

function filesNow(): Files | undefined {
  try {
    const folder = join(runtime.instancesRoot, id, 'files/etc/trove');
    const info = readFileSync(join(folder, 'conf.d/guest_info.conf'), 'utf8');
    const url = /^sealed_transport_url=(.*)$/m.exec(readFileSync(join(folder, 'trove-guestagent.conf'), 'utf8'))?.[1];
    const [key, password] = [keyIn(info), accountOfUrl(new Secret(url ?? ''))?.password.reveal()];
    if (key === undefined || password === undefined) return undefined;
    return { key, info, password, version: Number(/^instance_rpc_key_version=(\d+)$/m.exec(info)?.[1] ?? 1) };
  } catch {
    return undefined;
  }
}

function files(): Files {
  const found = filesNow();
  if (found === undefined) throw new Error('the server has no files');
  return found;
}

async function active(): Promise<void> {
  await until(async () => {
    const shown = parseProperties((await outside.trove('admin', ['show', 'attacked'])).stdout);
    return shown.status === 'ACTIVE' && shown.operating_status === 'HEALTHY';
  }, 120_000);
}

const list = () => outside.trove('admin', ['database-list', 'attacked']);
const serves = async (): Promise<void> =>
  expect(await list()).toMatchObject({ code: 0, stdout: expect.stringContaining('shop') as string });
const rotate = () => outside.manage(['keys', 'rotate-instance', id, '--wait']);

function urlAs(password: string): string {
  const url = new URL(brokerUrl());
  Object.assign(url, { username: `guest-${id}`, password });
  return url.href;
}

/** Its supervisor starts another one, which the returned function waits for. */
function killAgent(): () => Promise<void> {
  const agentNow = (): number => JSON.parse(readFileSync(join(runtime.instancesRoot, id, 'agent.process'), 'utf8')).pid;
  const pid = agentNow();
  process.kill(pid, 'SIGKILL');
  return () => until(() => agentNow() !== pid, 60_000);
}

/** Why the guest, or the conductor, refused since a moment that `mark` has noted. */
function refusals(log: string, mark: number): string[] {
  const lines = readFileSync(log, 'utf8').slice(mark).trim().split('\n');
  return lines
    .flatMap(
      (line) => /"audit":"refusal".*?"reason":"(\w+)"|"reason":"(\w+)".*?"audit":"refusal"/.exec(line)?.slice(1) ?? [],
    )
    .filter(Boolean);
}
const sizeOf = (log: string): number => readFileSync(log, 'utf8').length;
const agentLog = (): string => join(runtime.instancesRoot, id, 'agent.log');
const conductorLog = (): string => join(runtime.deployment.folder, 'trove-conductor.log');

/** The broker's owner asks the guest under this key; resolves to how many answers to that caller went over the bus. */
async function ask(key: string, keyVersion: number, text: Record<string, unknown>, boot?: Buffer): Promise<number> {
  const q = randomBytes(8).toString('hex');
  const body = forge(rootKey(key, 'downlink'), {
    ...{ kind: 'call', sender: TASKMANAGER, receiver: guest(id), keyVersion },
    text: JSON.stringify({ v: '1.0', q, ...text }),
    ...(boot !== undefined && { bootNonce: boot }),
  });
  await send(admin, 'trove.down', `guest.${id}`, body);
  await settled(1000);
  return runtime.tapped().filter(({ routingKey }) => routingKey === `r.${q}.${id}`).length;
}
const HELLO = { m: 'hello', a: { stored_boot_nonce: null, stored_sequence: null } };

async function storedReport(): Promise<{ boot: Buffer; sequence: bigint }> {
  const [row] = await outside.select(`SELECT boot_nonce, sequence FROM instance_reports WHERE instance_id = '${id}'`);
  return { boot: Buffer.from(String(row?.['boot_nonce']), 'hex'), sequence: BigInt(row?.['sequence'] ?? 0) };
}

/** A report of the present boot, far ahead, under this key, from the guest's own account: it would silence the guest if it counted. */
async function report(key: string, keyVersion: number): Promise<void> {
  const { boot } = await storedReport();
  const args = { instance_id: id, payload: { service_status: 'crashed' } };
  const body = forge(rootKey(key, 'uplink'), {
    ...{ kind: 'report', sender: guest(id), receiver: CONDUCTOR, bootNonce: boot, sequence: 1_000_000n, keyVersion },
    text: JSON.stringify({ m: 'heartbeat', v: '1.0', a: args }),
  });
  const stolen = await connect(urlAs(files().password));
  const channel = await stolen.createConfirmChannel();
  await send(channel, 'trove.up', `hb.${id.slice(0, 1)}.${id}`, body, { userId: `guest-${id}` });
  await stolen.close();
  await settled(1000);
}

async function logsIn(password: string): Promise<boolean> {
  try {
    await (await connect(urlAs(password))).close();
    return true;
  } catch {
    return false;
  }
}

test(
  'A32: what was injected opens nothing once the instance serves: not the guest, not the conductor, not the broker',
  async () => {
    expect(injected.info).toMatch(/^instance_rpc_bootstrap_until=\d{13}$/m);
    const now = files();
    expect(now.info).not.toContain('bootstrap');
    expect([now.key === injected.key, now.version > injected.version]).toEqual([false, true]);
    const mark = sizeOf(agentLog());
    const { boot } = await storedReport();
    const rotation = { m: 'rotate_key', a: { version: 99, public: randomBytes(32).toString('hex') } };
    expect(await ask(injected.key, injected.version, HELLO)).toBe(0);
    expect(await ask(injected.key, injected.version, rotation, boot)).toBe(0);
    await until(() => refusals(agentLog(), mark).length === 2);
    expect(refusals(agentLog(), mark)).toEqual(['key_version', 'key_version']);
    const conductor = sizeOf(conductorLog());
    await report(injected.key, injected.version);
    // The forger's own guest answers under the key that holds: it is the key that was wrong.
    expect(await ask(now.key, now.version, HELLO)).toBe(1);
    expect((await storedReport()).sequence).toBeLessThan(1_000_000n);
    expect(refusals(conductorLog(), conductor)).toContain('key_version');
    await until(async () => !(await logsIn(injected.password)));
    expect(await logsIn(now.password)).toBe(true);
  },
  LONG_MS,
);

test(
  'A24: a key is changed again and again while it is used, agents and taskmanagers being killed: no call is lost, and one key is left',
  async () => {
    const lost: string[] = [];
    let going = true;
    const calls = (async () => {
      let count = 0;
      for (; going; count += 1) {
        const { code, stderr } = await list();
        if (code !== 0) lost.push(stderr);
      }
      return count;
    })();
    const before = files();
    for (let turn = 0; turn < 2; turn += 1) expect(await rotate()).toMatchObject({ code: 0 });
    going = false;
    expect(await calls).toBeGreaterThan(0);
    expect(lost).toEqual([]);
    expect(files().version).toBe(before.version + 2);

    const ended = outside.manage(['keys', 'rotate-instance', id, '--wait']);
    await until(
      async () =>
        (await outside.select("SELECT id FROM tasks WHERE kind = 'rotate_key' AND state <> 'done'")).length > 0,
      60_000,
    );
    killAgent();
    await outside.stopControlPlane();
    await outside.startControlPlane('sealed');
    expect(await ended).toMatchObject({ code: 0 });
    await serves();
    const rows = await outside.select(
      `SELECT version, state FROM instance_keys WHERE instance_id = '${id}' AND state <> 'retired'`,
    );
    expect(rows).toEqual([{ version: files().version, state: 'active' }]);
  },
  LONG_MS,
);

test(
  "A25: yesterday's rows put back do not bring back yesterday's key: the guest opens nothing under it, and the catalog of today does",
  async () => {
    const tables = [
      `SELECT encrypted_key FROM instances WHERE id = '${id}'`,
      `SELECT * FROM instance_keys WHERE instance_id = '${id}'`,
    ];
    const [instance, keys] = [await outside.select(tables[0] ?? ''), await outside.select(tables[1] ?? '')];
    const yesterday = files();
    expect(await rotate()).toMatchObject({ code: 0 });
    // An agent that has started anew opens nothing under the key of before, not for a moment.
    await killAgent()();
    await until(async () => (await list()).code === 0, 60_000);
    const [instanceToday, keysToday] = [await outside.select(tables[0] ?? ''), await outside.select(tables[1] ?? '')];
    await putBack(instance, keys);
    await settled(6000);
    const mark = sizeOf(agentLog());
    expect((await list()).code).not.toBe(0);
    expect(refusals(agentLog(), mark)).toContain('key_version');
    expect(await ask(yesterday.key, yesterday.version, HELLO)).toBe(0);
    await putBack(instanceToday, keysToday);
    await settled(6000);
    await serves();
  },
  LONG_MS,
);

test(
  'A26: what the server of before an upgrade had, its key and its account, is heard by nobody',
  async () => {
    const before = files();
    expect((await outside.trove('admin', ['upgrade', 'attacked', runtime.atHand.versionId])).code).toBe(0);
    await until(() => filesNow()?.key !== before.key, 120_000);
    await active();
    expect(files().version).toBeGreaterThan(before.version + 1);
    const conductor = sizeOf(conductorLog());
    await report(before.key, before.version);
    await until(() => refusals(conductorLog(), conductor).includes('key_version'));
    expect((await storedReport()).sequence).toBeLessThan(1_000_000n);
    expect(await ask(before.key, before.version, HELLO)).toBe(0);
    expect(await logsIn(before.password)).toBe(false);
    await serves();
  },
  LONG_MS,
);

async function putBack(instance: readonly Row[], keys: readonly Row[]): Promise<void> {
  const literal = (value: Row[string] | undefined): string =>
    value === null || value === undefined ? 'NULL' : typeof value === 'number' ? String(value) : `'${value}'`;
  const rows = keys.map((row) => `(${Object.values(row).map(literal).join(', ')})`);
  await runtime.catalog.run([
    `UPDATE instances SET encrypted_key = ${literal(instance[0]?.['encrypted_key'])} WHERE id = '${id}'`,
    `DELETE FROM instance_keys WHERE instance_id = '${id}'`,
    `INSERT INTO instance_keys (${Object.keys(keys[0] ?? {}).join(', ')}) VALUES ${rows.join(', ')}`,
  ]);
}
type Row = Awaited<ReturnType<Outside['select']>>[number];
