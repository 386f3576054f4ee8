import { setTimeout as delay } from 'node:timers/promises';
import { silentLogger } from '@trove/common';
import type { ComputeDriver } from '@trove/compute';
import { type Bus, createGuestClient, type KeyStore } from '@trove/crypto-rpc';
import { PROJECTS } from '../../home/home.ts';
import type { CatalogLook } from '../looks/catalog_look.ts';
import type { AtHand } from '../outside.ts';
import { oldInstanceId, serverOf } from './old_rows.ts';

export interface LegacyGround {
  readonly compute: Pick<ComputeDriver, 'flavors' | 'createVolume' | 'createServer'>;
  readonly catalog: CatalogLook;
  readonly bus: Bus;
  /** As the guests see the broker. */
  readonly transportUrl: string;
  readonly atHand: AtHand;
  readonly manager: string;
  readonly imageId: string;
}

const VOLUME_GB = 3;
const FLAVOR = '25';
const NEVER = new AbortController().signal;

/**
 * Puts the guest of an old row there as the control plane of that time left it: a server by the compute driver, injected
 * files without a key, and the agent's own `prepare`, asked for once in clear. No part of a control plane of ours runs.
 */
export async function placeLegacyGuest(ground: LegacyGround, name: string): Promise<void> {
  const instanceId = oldInstanceId(name);
  const { compute } = ground;
  const flavor = (await compute.flavors()).find(({ id }) => id === FLAVOR);
  if (flavor === undefined) throw new Error(`the compute driver has no flavor ${FLAVOR}`);
  const owner = { deploymentId: 'older than ours', instanceId };
  const { volumeId } = await compute.createVolume(
    { ...owner, clientToken: `volume of ${name}`, size: VOLUME_GB },
    NEVER,
  );
  const server = await compute.createServer(
    {
      ...owner,
      clientToken: `server of ${name}`,
      projectId: PROJECTS.shared,
      name,
      flavor,
      imageId: ground.imageId,
      volumeId,
      files: oldFiles(ground, instanceId),
    },
    NEVER,
  );
  await ground.catalog.run(serverOf(instanceId, server.id, volumeId));
  await prepareOnce(ground, instanceId, flavor.ram);
}

function oldFiles(ground: LegacyGround, instanceId: string): Record<string, string> {
  return {
    '/etc/trove/conf.d/guest_info.conf': `[DEFAULT]
guest_id=${instanceId}
datastore_manager=${ground.manager}
datastore_version=${ground.atHand.version}
tenant_id=${PROJECTS.shared}
`,
    '/etc/trove/trove-guestagent.conf': `[DEFAULT]
transport_url=${ground.transportUrl}
control_exchange=trove
report_interval=2
log_level=warn
`,
  };
}

/** A peer of policy 0, for whoever asks: there is no catalog behind it. */
const everyoneInClear: KeyStore = {
  guestPeer: async (instanceId) => ({
    instanceId,
    policy: 0,
    keys: [],
    pendingOnly: false,
    bootNonce: null,
    sequence: null,
  }),
  forget: () => undefined,
};

const PING_MS = 2000;
const ATTEMPTS = 20;

async function prepareOnce(ground: LegacyGround, instanceId: string, memoryMb: number): Promise<void> {
  const guests = createGuestClient({
    sealedBus: ground.bus,
    legacyBus: ground.bus,
    keyStore: everyoneInClear,
    controlExchange: 'trove',
    logger: silentLogger,
  });
  try {
    await guests.declareGuest(instanceId, 0);
    await waitUntilItAnswers(() => guests.call(instanceId, 'rpc_ping', {}, { deadlineMs: PING_MS }));
    await guests.call(
      instanceId,
      'prepare',
      {
        packages: [],
        databases: [],
        memory_mb: memoryMb,
        users: [],
        device_path: null,
        mount_point: null,
        backup_info: null,
        config_contents: null,
        root_password: null,
        overrides: null,
        cluster_config: null,
        snapshot: null,
        modules: null,
        ds_version: ground.atHand.version,
      },
      { deadlineMs: PING_MS },
    );
  } finally {
    await guests.close();
  }
}

async function waitUntilItAnswers(ping: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await ping();
      return;
    } catch (error) {
      if (attempt >= ATTEMPTS) throw error;
      await delay(250);
    }
  }
}
