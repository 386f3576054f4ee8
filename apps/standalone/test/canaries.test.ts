import { readFileSync, writeFileSync } from 'node:fs';
import { freePort } from '@trove/testkit';
import { connect } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CONFIG_FILES } from '../src/demo/outside.ts';
import { keyIn, until } from '../src/demo/rows/shared.ts';
import type { MachineRuntime } from '../src/demo/stack/memory_runtime.ts';
import { outsideOf } from '../src/demo/stack/outside_of.ts';
import { openRealRuntime } from '../src/demo/stack/real_runtime.ts';
import { parseProperties } from '../src/demo/table_reader.ts';
import { type Canaries, lookAtLogs, lookAtProcesses, lookAtRows, Sightings } from './canaries.ts';

const PASSWORDS = {
  'password given at create': 'CanaryCreate4711xyz',
  'password of a user': 'CanaryUser0815abc',
  'password of a user that was refused': "CanaryRefused'99\\end",
} as const;
const WRONG_TOKEN = 'canary-token-that-is-none-31337';

let runtime: MachineRuntime;
const canaries = new Map<string, string>([...Object.entries(PASSWORDS), ['token that is none', WRONG_TOKEN]]);

beforeAll(async () => {
  runtime = await openRealRuntime(() => undefined);
}, 120_000);
afterAll(() => runtime.close(), 120_000);

/** Debug lines everywhere, and a health port for each service. */
async function openUp(): Promise<number[]> {
  const ports: number[] = [];
  for (const name of CONFIG_FILES) {
    const port = await freePort();
    ports.push(port);
    const path = runtime.deployment.configPath(name);
    const text = readFileSync(path, 'utf8').replace('log_level = warn', `log_level = debug\nhealth_port = ${port}`);
    writeFileSync(path, text);
    for (const [, option = '', value = ''] of text.matchAll(/^(\w+_encr_key) = (\S+)$/gm)) canaries.set(option, value);
    for (const [, option = '', value = ''] of text.matchAll(
      /^(transport_url|broker_management_url|connection) = \w+:\/\/[^:]+:([^@]+)@/gm,
    ))
      canaries.set(`password of ${option}`, value);
  }
  const { tokens } = JSON.parse(readFileSync(runtime.deployment.tokensFile, 'utf8')) as { tokens: { token: string }[] };
  tokens.forEach(({ token }, index) => canaries.set(`token ${index}`, token));
  return ports;
}

async function deadLetters(url: string): Promise<string> {
  const connection = await connect(url);
  try {
    const channel = await connection.createChannel();
    const bodies: string[] = [];
    for (;;) {
      const message = await channel.get('trove.dead', { noAck: true });
      if (message === false) return bodies.join('\n');
      bodies.push(message.content.toString());
    }
  } finally {
    await connection.close();
  }
}

test('a secret that was planted shows up nowhere but where it belongs, with every service at debug level', async () => {
  const outside = outsideOf(runtime);
  let instanceId: string | undefined;
  const sightings = new Sightings(
    (): Canaries => canaries,
    () => instanceId,
  );
  const trove = async (argv: readonly string[], input?: string) => {
    const result = await outside.trove('admin', argv, input);
    sightings.look('output of the trove command', result.stdout + result.stderr);
    return result;
  };
  const settled = async (name: string) => {
    const shown = await until(outside, async () => {
      lookAtProcesses(sightings);
      await lookAtRows(sightings, runtime.catalog);
      const value = parseProperties((await trove(['show', name])).stdout);
      return { done: value.status === 'ACTIVE' && value.operating_status === 'HEALTHY', value };
    });
    expect(shown.status).toBe('ACTIVE');
    instanceId = String(shown.id);
    canaries.set(
      `key of ${name}, ${canaries.size}`,
      keyIn((await outside.server(String(shown.id))).guestInfo) ?? 'no key',
    );
    return String(shown.id);
  };
  const ports = await openUp();
  await outside.makeOldCatalog();
  expect((await outside.manage(['db_sync'])).code).toBe(0);
  await outside.startControlPlane('sealed');

  const created = ['--size', '1', '--databases', 'shop', '--users', `first:${PASSWORDS['password given at create']}`];
  expect((await trove(['create', 'canary', '25', ...created])).code).toBe(0);
  const id = await settled('canary');
  expect(
    (await trove(['user-create', 'canary', 'second', '--databases', 'shop'], `${PASSWORDS['password of a user']}\n`))
      .code,
  ).toBe(0);
  const refused = `${PASSWORDS['password of a user that was refused']}\n`;
  expect((await trove(['user-create', 'canary', 'second', '--databases', 'shop'], refused)).code).not.toBe(0);
  const endpoint = `http://127.0.0.1:${runtime.deployment.apiPort}/v1.0/p/instances`;
  expect((await fetch(endpoint, { headers: { 'x-auth-token': WRONG_TOKEN } })).status).toBe(401);
  const garbage = JSON.stringify({ users: [{ name: 'x', password: PASSWORDS['password of a user'], nonsense: 1 }] });
  const [token = ''] = [...canaries].filter(([what]) => what === 'token 0').map(([, value]) => value);
  const answer = await fetch(`${endpoint}/${id}/users`, {
    method: 'POST',
    headers: { 'x-auth-token': token, 'content-type': 'application/json' },
    body: garbage,
  });
  sightings.look('answer of the api', await answer.text());
  expect((await trove(['upgrade', 'canary', runtime.atHand.versionId])).code).toBe(0);
  await settled('canary');
  expect((await trove(['user-list', 'canary'])).stdout).toContain('second');
  lookAtLogs(sightings, runtime.instancesRoot);
  expect((await trove(['delete', 'canary'])).code).toBe(0);
  await until(outside, async () => ({ done: (await trove(['show', 'canary'])).code !== 0, value: undefined }));

  let metrics = '';
  for (const port of ports) {
    for (const page of ['healthcheck', 'metrics']) {
      const text = await (await fetch(`http://127.0.0.1:${port}/${page}`)).text();
      sightings.look(page, text);
      if (page === 'metrics') metrics += text;
    }
  }
  await lookAtRows(sightings, runtime.catalog);
  lookAtLogs(sightings, runtime.deployment.folder);
  for (const { body } of runtime.tapped())
    sightings.look('messages on the bus', Buffer.from(body, 'base64').toString('latin1'));
  sightings.look('dead letters', await deadLetters(runtime.deployment.transportUrl.replace(/^rabbit:/, 'amqp:')));

  expect(sightings.found()).toEqual([]);
  expect(canaries.size).toBeGreaterThanOrEqual(13);
  for (const line of [
    /^trove_heartbeats_total\{outcome="taken"\} [1-9]/m,
    /^trove_rpc_calls_total\{to="guest",method="prepare",outcome="ok"\} 1$/m,
    /^trove_rpc_calls_total\{to="guest",method="create_user",outcome="USER_EXISTS"\} 1$/m,
    /^trove_rpc_call_seconds_count\{to="taskmanager",method="create_user"\} 2$/m,
    /^trove_http_requests_total\{method="POST",route="\/v1\.0\/:project_id\/instances",status="200"\} 1$/m,
    /^trove_peers\{policy="v2"\} 0$/m,
    /^trove_tasks\{state="running"\} \d/m,
  ])
    expect(metrics).toMatch(line);
  expect([...canaries.values()]).not.toContain('no key');
  const { places, controlled } = sightings.looked();
  expect(places).toEqual(expect.arrayContaining(['dead letters', 'healthcheck', 'metrics', 'trove-conductor.log']));
  expect(controlled).toEqual(
    expect.arrayContaining([
      'agent.log',
      'catalog',
      'output of the trove command',
      'process arguments',
      'trove-api.log',
      'trove-taskmanager.log',
    ]),
  );
}, 180_000);

test('the search finds what is there', () => {
  const sightings = new Sightings(() => new Map([['a', 'Secret-1']]));
  sightings.look('log', 'x Secret-1 y');
  sightings.look('body', `{"a":"${Buffer.from('Secret-1').toString('base64')}"}`);
  sightings.look('else', 'nothing');
  expect(sightings.found()).toEqual(['a in body', 'a in log']);
});
