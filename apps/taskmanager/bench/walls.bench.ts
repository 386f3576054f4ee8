import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { newUuid, randomText, Secret, silentLogger } from '@trove/common';
import {
  createAmqpBus,
  createGuestClient,
  type GuestClient,
  type GuestPeer,
  guestAccount,
  type KeyStore,
  uplinkKey,
} from '@trove/crypto-rpc';
import { testBroker } from '@trove/testkit';
import { type Contender, loadFor, type Measurement, measure } from '@trove/testkit/bench';
import { createBrokerAccounts } from '../src/broker/broker_accounts.ts';
import { createRabbitmqAdmin } from '../src/broker/rabbitmq_admin.ts';

const ROUND_MS = 2000;
const ROUNDS = 7;
const ARGS = { limit: 20, marker: 'm'.repeat(120), include_marker: false };

/**
 * What a call to a guest costs: sealed over an account that all share (the baseline); the same from an account of its own,
 * with topic permissions at the broker and its name checked at the caller; and in clear as Trove's guests speak.
 */
export async function benchWalls(): Promise<Measurement[]> {
  const broker = await testBroker();
  const closers: (() => Promise<unknown>)[] = [() => broker.dispose()];
  try {
    const admin = createRabbitmqAdmin({ managementUrl: new Secret(broker.managementUrl), vhost: broker.vhost, fetch });
    const accounts = createBrokerAccounts(admin, async () => 'bench');
    const transportUrl = new Secret(broker.url);
    const bus = await createAmqpBus({
      transportUrl,
      connectionName: 'bench',
      logger: silentLogger,
      waitConnected: true,
    });
    closers.unshift(() => bus.close());
    const peers = new Map<string, GuestPeer>();
    const keyStore: KeyStore = { guestPeer: async (id) => peers.get(id), forget: () => undefined };
    const client = createGuestClient({
      ...{ sealedBus: bus, legacyBus: bus, keyStore, controlExchange: 'trove', logger: silentLogger },
    });
    closers.unshift(() => client.close());

    const guest = async (name: string, policy: 0 | 2, own: boolean): Promise<Contender> => {
      const [instanceId, key, password] = [newUuid(), randomText(32), randomText(32)];
      const url = new URL(broker.url);
      if (own) Object.assign(url, { username: guestAccount(instanceId), password });
      if (own) await accounts.make(instanceId, new Secret(password));
      else await client.declareGuest(instanceId, policy);
      peers.set(instanceId, peerOf(instanceId, policy, key, own));
      const child = await started({
        CALLED_URL: url.href,
        CALLED_ID: instanceId,
        ...(policy === 2 && { CALLED_KEY: key }),
        ...(own && { CALLED_ACCOUNT: guestAccount(instanceId) }),
      });
      closers.unshift(() => ended(child));
      if (policy === 2) await greet(client, peers, instanceId);
      return { name, run: () => loaded(child, inFlight, () => asked(client, instanceId)) };
    };

    let inFlight = 1;
    const contenders = [
      await guest('sealed, shared account', 2, false),
      await guest('sealed, own account and walls', 2, true),
      await guest('plaintext, shared account', 0, false),
    ];
    const measurements: Measurement[] = [];
    for (inFlight of [1, 16]) {
      measurements.push(
        await measure({
          name: `calls to a guest, ${inFlight} in flight`,
          conditions: `${JSON.stringify(ARGS).length} B of arguments, taskmanager's client and guest in a process each, ${ROUND_MS} ms a round; CPU of both`,
          rounds: ROUNDS,
          contenders,
        }),
      );
    }
    return measurements;
  } finally {
    for (const close of closers) await close();
  }
}

function peerOf(instanceId: string, policy: 0 | 2, key: string, own: boolean): GuestPeer {
  const held = { version: 1, instanceKey: new Secret(key), uplinkKey: new Secret(uplinkKey(key)) };
  return {
    ...{ instanceId, policy, pendingOnly: false, bootNonce: null, sequence: null },
    keys: policy === 2 ? [{ ...held, state: 'active' }] : [],
    ...(own && { account: guestAccount(instanceId) }),
  };
}

function asked(client: GuestClient, instanceId: string): Promise<unknown> {
  return client.call(instanceId, 'list_databases', ARGS, { deadlineMs: 10_000 });
}

/** As a taskmanager stores what it is told. */
async function greet(client: GuestClient, peers: Map<string, GuestPeer>, instanceId: string): Promise<void> {
  const { bootNonce, sequence } = await client.hello(instanceId, { deadlineMs: 10_000 });
  const peer = peers.get(instanceId);
  if (peer !== undefined) peers.set(instanceId, { ...peer, bootNonce, sequence });
}

/** With the processor time of both ends, which says something on a machine that is busy too. */
async function loaded(
  child: ChildProcess,
  inFlight: number,
  call: () => Promise<unknown>,
): Promise<Record<string, number>> {
  const before = await cpuMicroseconds(child);
  let calls = 0;
  const figures = await loadFor(ROUND_MS, inFlight, async () => {
    await call();
    calls += 1;
  });
  return { ...figures, 'CPU µs a call': ((await cpuMicroseconds(child)) - before) / calls };
}

async function cpuMicroseconds(child: ChildProcess): Promise<number> {
  child.send('processor time');
  const [ofGuest] = (await once(child, 'message')) as [number];
  const { user, system } = process.cpuUsage();
  return ofGuest + user + system;
}

async function started(variables: Record<string, string>): Promise<ChildProcess> {
  const child = fork(new URL('./called_guest.ts', import.meta.url).pathname, [], {
    env: { ...process.env, ...variables },
  });
  const [said] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as [unknown];
  if (said !== 'serves') throw new Error('the guest that is called ended');
  return child;
}

async function ended(child: ChildProcess): Promise<void> {
  child.kill();
  await once(child, 'exit');
}
