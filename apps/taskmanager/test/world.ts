import type { Catalog } from '@trove/catalog';
import { newUuid, TroveError, uuidV5 } from '@trove/common';
import type { ComputeDriver, CreateServer, Flavor, InjectedFiles, OwnedThing, Server } from '@trove/compute';
import type { MemoryBroker } from '@trove/crypto-rpc';
import { type FakeGuest, type GuestFaults, startFakeGuest, type Volume } from './fake_guest.ts';

export const FLAVOR: Flavor = { id: '25', name: 'm1.rd-tiny', ram: 512, vcpus: 1, disk: 5, ephemeral: 0 };
export const LARGER: Flavor = { ...FLAVOR, id: '26', name: 'm1.rd-smaller', ram: 768 };

/** What carries a deployment's id. */
type Tag = Pick<OwnedThing, 'deploymentId' | 'instanceId' | 'clientToken'>;

interface FakeServer {
  id: string;
  deploymentId: string;
  instanceId: string;
  clientToken: string;
  generation: string;
  imageId: string;
  flavorId: string;
  volumeId: string | null;
  files: InjectedFiles;
  agent: FakeGuest | undefined;
  running: boolean;
  /** Made or rebuilt, and not started since. */
  halfMade?: boolean;
}

export interface World extends ComputeDriver {
  readonly servers: Map<string, FakeServer>;
  readonly volumes: Map<string, Volume & { token: string; tag: Tag; size: number }>;
  readonly snapshots: Map<string, Volume & { tag: Tag }>;
  /** Calls of this name fail so many times with this error; `only`: those that ask for this flavor or image. */
  readonly scripted: Map<keyof ComputeDriver, { times: number; error: Error; only?: string }>;
  readonly guestFaults: GuestFaults;
  /** What guests were asked, in order. */
  readonly calls: string[];
  close(): Promise<void>;
}

/** A compute driver whose servers are real agents on a bus in memory, and whose faults are scripted. */
export function createWorld(deps: { catalog: Catalog; broker: MemoryBroker }): World {
  const servers = new Map<string, FakeServer>();
  const volumes: World['volumes'] = new Map();
  const snapshots: World['snapshots'] = new Map();
  const scripted: World['scripted'] = new Map();
  const guestFaults: GuestFaults = { fail: new Map(), takes: new Map(), atWork: 0, deaf: false };
  const calls: string[] = [];

  const maybeFail = (name: keyof ComputeDriver, wanted?: string): void => {
    const script = scripted.get(name);
    if (script === undefined || script.times === 0) return;
    if (script.only !== undefined && script.only !== wanted) return;
    script.times -= 1;
    throw script.error;
  };
  const need = (id: string): FakeServer => {
    const server = servers.get(id);
    if (server === undefined) throw new TroveError('COMPUTE_ERROR', 'The server is not there.');
    return server;
  };
  const shown = (server: FakeServer): Server => ({
    id: server.id,
    clientToken: server.clientToken,
    status: server.running ? 'ACTIVE' : server.halfMade ? 'BUILD' : 'SHUTDOWN',
    host: 'here',
    imageId: server.imageId,
    flavorId: server.flavorId,
    volumeId: server.volumeId,
    addresses: [{ address: '127.64.0.9', type: 'private' }],
    generation: server.generation,
  });
  const start = async (server: FakeServer): Promise<void> => {
    if (server.running) return;
    const volume = volumes.get(server.volumeId ?? '');
    if (volume === undefined) throw new Error('a server without its volume');
    const onDied = (): void => void restart(server);
    server.agent = await startFakeGuest({ ...deps, server, volume, faults: guestFaults, calls, onDied });
    server.running = true;
  };
  /** Breaks off where `startServer` is scripted to: then the server is there, and was never started. */
  const finish = async (server: FakeServer): Promise<void> => {
    server.halfMade = true;
    maybeFail('startServer');
    await start(server);
    server.halfMade = false;
  };
  /** As a supervisor does with an agent that has died. */
  const restart = async (server: FakeServer): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    if (!server.running) return;
    await stop(server);
    await start(server);
  };
  const stop = async (server: FakeServer): Promise<void> => {
    await server.agent?.close();
    server.running = false;
  };

  return {
    name: 'local',
    canSnapshot: true,
    ...{ servers, volumes, snapshots, scripted, guestFaults, calls },
    flavors: async () => [FLAVOR, LARGER],
    images: async () => [],
    hosts: async () => [{ name: 'here', servers: servers.size }],
    async createVolume(request) {
      maybeFail('createVolume');
      const id = uuidV5(request.clientToken, 'volume');
      const { clientToken: token, deploymentId, instanceId } = request;
      const tag = { deploymentId, instanceId, clientToken: token };
      const { size } = request;
      if (!volumes.has(id)) volumes.set(id, { id, token, tag, size, prepared: false, data: '', effects: [] });
      return { volumeId: id };
    },
    async findVolume(token) {
      const found = [...volumes.values()].find((volume) => volume.token === token);
      return found && { volumeId: found.id };
    },
    async extendVolume(id, size) {
      maybeFail('extendVolume');
      const volume = volumes.get(id);
      if (volume === undefined) throw new TroveError('COMPUTE_ERROR', 'no volume');
      volume.size = Math.max(volume.size, size);
    },
    async volumeSize(id) {
      maybeFail('volumeSize');
      return volumes.get(id)?.size;
    },
    async deleteVolume(id) {
      maybeFail('deleteVolume');
      volumes.delete(id);
    },
    async snapshotVolume(volumeId, token) {
      maybeFail('snapshotVolume');
      const volume = volumes.get(volumeId);
      if (volume === undefined) throw new TroveError('COMPUTE_ERROR', 'no volume');
      const id = uuidV5(token, 'snapshot');
      const tag = { ...volume.tag, clientToken: token };
      if (!snapshots.has(id)) snapshots.set(id, structuredClone({ ...volume, tag }));
      return { snapshotId: id };
    },
    async restoreVolume(volumeId, snapshotId) {
      maybeFail('restoreVolume');
      const [volume, snapshot] = [volumes.get(volumeId), snapshots.get(snapshotId)];
      if (volume === undefined || snapshot === undefined) throw new TroveError('COMPUTE_ERROR', 'nothing to restore');
      Object.assign(volume, structuredClone({ ...snapshot, tag: volume.tag }));
    },
    async findSnapshot(token) {
      const id = uuidV5(token, 'snapshot');
      return snapshots.has(id) ? { snapshotId: id } : undefined;
    },
    async deleteSnapshot(id) {
      maybeFail('deleteSnapshot');
      snapshots.delete(id);
    },
    async createServer(request: CreateServer) {
      maybeFail('createServer');
      const { clientToken, deploymentId, instanceId, imageId, volumeId, files } = request;
      const known = [...servers.values()].find((one) => one.clientToken === clientToken && one.halfMade);
      const server = known ?? {
        id: newUuid(),
        deploymentId,
        instanceId,
        clientToken,
        generation: clientToken,
        imageId,
        flavorId: request.flavor.id,
        volumeId,
        files,
        agent: undefined,
        running: false,
      };
      servers.set(server.id, server);
      await finish(server);
      return shown(server);
    },
    findServers: async (token) => [...servers.values()].filter((server) => server.clientToken === token).map(shown),
    async getServer(id) {
      maybeFail('getServer');
      const server = servers.get(id);
      return server && shown(server);
    },
    async stopServer(id) {
      maybeFail('stopServer');
      await stop(need(id));
    },
    startServer: async (id) => start(need(id)),
    async rebuildServer(request) {
      maybeFail('rebuildServer', request.imageId);
      const server = need(request.serverId);
      if (server.generation === request.clientToken && server.running) return shown(server);
      await stop(server);
      Object.assign(server, { generation: request.clientToken, imageId: request.imageId, files: request.files });
      await finish(server);
      return shown(server);
    },
    async resizeServer({ serverId, flavor }) {
      maybeFail('resizeServer', flavor.id);
      const server = need(serverId);
      if (server.flavorId !== flavor.id) await stop(server);
      server.flavorId = flavor.id;
      await start(server);
      return shown(server);
    },
    async deleteServer(id) {
      maybeFail('deleteServer');
      const server = servers.get(id);
      if (server !== undefined) await stop(server);
      servers.delete(id);
    },
    injectedFiles: async (id) => need(id).files,
    async listOwned(deploymentId, instanceId) {
      const things: OwnedThing[] = [
        ...[...servers.values()].map((server) => {
          return { kind: 'server' as const, ...tagOf(server), id: server.id, flavorId: server.flavorId };
        }),
        ...[...volumes].map(([id, { tag, size }]) => ({ kind: 'volume' as const, ...tag, id, size })),
        ...[...snapshots].map(([id, { tag }]) => ({ kind: 'snapshot' as const, ...tag, id })),
      ];
      return things.filter(
        (thing) => thing.deploymentId === deploymentId && (instanceId ?? thing.instanceId) === thing.instanceId,
      );
    },
    async close() {
      for (const server of servers.values()) await stop(server);
    },
  };
}

function tagOf({ deploymentId, instanceId, clientToken }: Tag): Tag {
  return { deploymentId, instanceId, clientToken };
}
