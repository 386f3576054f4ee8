import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newUuid, randomText, Secret, silentLogger } from '@trove/common';
import type { AgentLaunch } from '@trove/compute';
import { createGuestClient, createMemoryBroker, keyCheckValue, uplinkKey } from '@trove/crypto-rpc';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createInProcessAgents } from './in_process_agents.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trove-agent-'));
  for (const part of ['root', 'volume']) mkdirSync(join(folder, part));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** What a server holds of its agent, with this key in the injected file. */
function serverWith(instanceId: string, key: string): AgentLaunch {
  const facts = {
    ...{ address: '127.68.0.1', port: 5432, volume_dir: join(folder, 'volume'), volume_size: 1 },
    ...{ root_dir: join(folder, 'root'), bin_dir: join(folder, 'root'), manager: 'postgresql', version: '18.4' },
    account: null,
  };
  const serverFile = join(folder, 'server.json');
  writeFileSync(serverFile, JSON.stringify(facts));
  const agentFile = join(folder, 'trove-guestagent.conf');
  writeFileSync(agentFile, '[DEFAULT]\nsealed_transport_url = memory://\ncontrol_exchange = trove\n');
  const guestInfo = join(folder, 'guest_info.conf');
  writeFileSync(
    guestInfo,
    `[DEFAULT]\nguest_id = ${instanceId}\ndatastore_manager = postgresql\ntenant_id = p\ninstance_rpc_encr_key = ${key}\n`,
  );
  return {
    ...{ instanceId, serverId: newUuid(), configFiles: [agentFile, guestInfo], serverFile },
    ...{ workDir: join(folder, 'root'), logFile: join(folder, 'agent.log'), account: undefined },
  };
}

/** A taskmanager that has this key for the instance. */
function caller(broker: ReturnType<typeof createMemoryBroker>, instanceId: string, key: string) {
  const bus = broker.bus();
  const guestKey = {
    version: 1,
    state: 'active' as const,
    instanceKey: new Secret(key),
    uplinkKey: new Secret(uplinkKey(key)),
  };
  const keyStore = {
    guestPeer: async () => ({
      ...{ instanceId, policy: 2 as const, keys: [guestKey], pendingOnly: false, bootNonce: null, sequence: null },
    }),
    forget: () => undefined,
  };
  return createGuestClient({
    sealedBus: bus,
    legacyBus: bus,
    keyStore,
    controlExchange: 'trove',
    logger: silentLogger,
  });
}

test('an agent in this process has the key of its injected file and no other: it answers under that one alone, and under another when the file has another', async () => {
  const broker = createMemoryBroker();
  const agents = createInProcessAgents(broker);
  const instanceId = newUuid();
  const [first, second] = [randomText(32), randomText(32)];
  const underFirst = caller(broker, instanceId, first);
  const underSecond = caller(broker, instanceId, second);
  await underFirst.declareGuest(instanceId, 2);
  vi.stubEnv('TROVE_INSTANCE_RPC_ENCR_KEY', second);
  const answersUnder = async (client: ReturnType<typeof caller>): Promise<string | undefined> =>
    client.hello(instanceId, { deadlineMs: 500 }).then(
      ({ kcv }) => kcv,
      () => undefined,
    );

  const comesToAnswer = (client: ReturnType<typeof caller>): Promise<string> =>
    vi.waitFor(
      async () => {
        const answer = await answersUnder(client);
        if (answer === undefined) throw new Error('no answer yet');
        return answer;
      },
      { timeout: 20_000 },
    );

  let agent = await agents.start(serverWith(instanceId, first));
  expect(await comesToAnswer(underFirst)).toBe(keyCheckValue(first));
  expect(await answersUnder(underSecond)).toBeUndefined();
  await agent.stop();
  expect(await answersUnder(underFirst)).toBeUndefined();

  agent = await agents.start(serverWith(instanceId, second));
  expect(await comesToAnswer(underSecond)).toBe(keyCheckValue(second));
  expect(await answersUnder(underFirst)).toBeUndefined();
  await agent.stop();
  await underFirst.close();
  await underSecond.close();
});
