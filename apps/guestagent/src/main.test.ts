import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newUuid, type ProcessIdentity, processRuns, randomText, Secret, silentLogger } from '@trove/common';
import { createAmqpBus, createGuestClient, type GuestPeer, uplinkKey } from '@trove/crypto-rpc';
import { testBroker } from '@trove/testkit';
import { expect, test, vi } from 'vitest';
import { PREPARE, writeServer } from '../test/guest_world.ts';

const PROGRAM = join(import.meta.dirname, '../bin/trove-guestagent.js');

function startAgent(folder: string, configFiles: readonly string[]) {
  const files = configFiles.flatMap((file) => ['--config-file', file]);
  const server = ['--server-file', join(folder, 'root/etc/trove/server.json')];
  const stdio: ('ignore' | 'pipe')[] = ['ignore', 'pipe', 'pipe'];
  return spawn(process.execPath, [PROGRAM, ...files, ...server], { stdio, env: { PATH: process.env['PATH'] } });
}

test('an agent in a process of its own serves over RabbitMQ, and stops its database when it is asked to end', async () => {
  const broker = await testBroker();
  const folder = mkdtempSync(join(tmpdir(), 'agent-'));
  const instanceId = newUuid();
  const key = randomText(32);
  const bus = await createAmqpBus({
    transportUrl: new Secret(broker.url),
    connectionName: 'test',
    logger: silentLogger,
  });
  const peer: { -readonly [K in keyof GuestPeer]: GuestPeer[K] } = {
    ...{ instanceId, policy: 2, pendingOnly: false, bootNonce: null, sequence: null },
    keys: [{ version: 1, state: 'active', instanceKey: new Secret(key), uplinkKey: new Secret(uplinkKey(key)) }],
  };
  const keyStore = { guestPeer: async () => peer, forget: () => undefined };
  const client = createGuestClient({
    sealedBus: bus,
    legacyBus: bus,
    keyStore,
    controlExchange: 'trove',
    logger: silentLogger,
  });
  await client.declareGuest(instanceId, 2);
  const agent = startAgent(folder, writeServer(folder, instanceId, key, broker.url));
  try {
    expect(String((await once(agent.stdout ?? agent, 'data'))[0])).toBe(`trove-guestagent ready for ${instanceId}\n`);
    await vi.waitFor(
      async () => {
        peer.bootNonce = (await client.hello(instanceId, { deadlineMs: 2000 })).bootNonce;
      },
      { timeout: 15_000 },
    );
    await client.call(instanceId, 'prepare', PREPARE, { deadlineMs: 5000, idempotencyKey: 'p', fence: 1n });
    const finished = async () => {
      const { state } = await client.call(instanceId, 'get_outcome', { idempotency_key: 'p' }, { deadlineMs: 5000 });
      expect(state).toBe('done');
    };
    await vi.waitFor(finished, { timeout: 30_000, interval: 200 });
    const identity = JSON.parse(readFileSync(join(folder, 'root/run/database.process'), 'utf8')) as ProcessIdentity;
    expect(processRuns(identity)).toBe(true);
    agent.kill('SIGTERM');
    expect((await once(agent, 'exit'))[0]).toBe(0);
    expect(processRuns(identity)).toBe(false);
  } finally {
    agent.kill('SIGTERM');
    await client.close();
    await bus.close();
    await broker.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
}, 90_000);

test('an agent whose file names no instance says so and ends', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'agent-'));
  const agent = startAgent(folder, writeServer(folder, 'none', undefined, 'rabbit://nobody@127.0.0.1:1/'));
  let said = '';
  agent.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  expect((await once(agent, 'close'))[0]).toBe(1);
  expect(said).toBe('trove-guestagent: [DEFAULT] guest_id must be the id of the instance\n');
  rmSync(folder, { recursive: true });
});
