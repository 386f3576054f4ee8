import { newUuid } from '@trove/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ComputeDriver, CreateServer, OwnedThing, Server } from './driver.ts';

/** The inside of a server, reached by other ways than the driver. */
export interface ServerInside {
  write(server: Server, where: 'root' | 'volume', name: string, text: string): Promise<void>;
  /** Undefined where there is no such file. */
  read(server: Server, where: 'root' | 'volume', name: string): Promise<string | undefined>;
}

export interface ConformanceOptions {
  /** A driver on the suite's world; each call gives a new one that has nothing in memory. */
  open(): Promise<ComputeDriver>;
  /** Ends what the suite has left. */
  dispose(): Promise<void>;
  readonly inside: ServerInside;
}

const FILES = {
  '/etc/trove/conf.d/guest_info.conf': '[DEFAULT]\nguest_id = 1\n',
  '/etc/trove/trove-guestagent.conf': '[DEFAULT]\n',
};

interface World {
  readonly driver: () => Promise<ComputeDriver>;
  readonly inside: ServerInside;
  readonly signal: AbortSignal;
  request(volume?: boolean): Promise<CreateServer>;
}

/** What every compute driver promises. */
export function computeConformance(name: string, options: ConformanceOptions): void {
  describe(`compute ${name}`, () => {
    const signal = new AbortController().signal;
    const request = async (volume = true): Promise<CreateServer> => {
      const driver = await options.open();
      const [flavor] = await driver.flavors();
      const [image] = await driver.images();
      if (flavor === undefined || image === undefined) throw new Error('the driver has a flavor and an image');
      const instanceId = newUuid();
      const owner = { deploymentId: newUuid(), instanceId };
      const made = volume
        ? await driver.createVolume({ ...owner, clientToken: `volume-${instanceId}`, size: 1 }, signal)
        : undefined;
      return {
        ...owner,
        clientToken: `server-${instanceId}`,
        projectId: newUuid().replaceAll('-', ''),
        name: 'conformance',
        flavor,
        imageId: image.id,
        volumeId: made?.volumeId ?? null,
        files: FILES,
      };
    };
    const world: World = { driver: options.open, inside: options.inside, signal, request };
    beforeAll(async () => {
      expect((await (await options.open()).images()).length).toBeGreaterThanOrEqual(2);
    });
    afterAll(() => options.dispose(), 120_000);
    describeServers(world);
    describeResize(world);
    describeRebuild(world);
    describeVolumes(world);
  });
}

function byKind(one: OwnedThing, other: OwnedThing): number {
  return one.kind < other.kind ? -1 : 1;
}

function describeServers({ driver, signal, request }: World): void {
  test('the same client token never makes two servers, also when the first request is repeated by another process', async () => {
    const create = await request();
    const [one, other] = await Promise.all([
      driver().then((compute) => compute.createServer(create, signal)),
      driver().then((compute) => compute.createServer(create, signal)),
    ]);
    expect(other.id).toBe(one.id);
    expect(await (await driver()).findServers(create.clientToken)).toHaveLength(1);
    expect(one).toMatchObject({
      status: 'ACTIVE',
      clientToken: create.clientToken,
      generation: create.clientToken,
      volumeId: create.volumeId,
    });
    expect(one.addresses).toHaveLength(1);
    await (await driver()).deleteServer(one.id, signal);
  }, 60_000);

  test('an unknown image or flavor is refused before anything is touched', async () => {
    const create = await request();
    const compute = await driver();
    await expect(compute.createServer({ ...create, imageId: newUuid() }, signal)).rejects.toMatchObject({
      code: 'IMAGE_NOT_FOUND',
    });
    const flavor = { ...create.flavor, id: 'no such flavor' };
    await expect(compute.createServer({ ...create, flavor }, signal)).rejects.toMatchObject({
      code: 'FLAVOR_NOT_FOUND',
    });
    expect(await compute.findServers(create.clientToken)).toEqual([]);
  });

  test('what is observed is the world: a driver without memory sees a server stop, start and go', async () => {
    const create = await request();
    const server = await (await driver()).createServer(create, signal);
    await (await driver()).stopServer(server.id, signal);
    expect((await (await driver()).getServer(server.id))?.status).toBe('SHUTDOWN');
    await (await driver()).stopServer(server.id, signal);
    await (await driver()).startServer(server.id, signal);
    expect(await (await driver()).getServer(server.id)).toEqual(server);
    await (await driver()).deleteServer(server.id, signal);
    expect(await (await driver()).getServer(server.id)).toBeUndefined();
    expect(await (await driver()).findServers(create.clientToken)).toEqual([]);
  }, 60_000);

  test('deleting what is not there is success', async () => {
    const create = await request();
    const compute = await driver();
    const server = await compute.createServer(create, signal);
    await compute.deleteServer(server.id, signal);
    await compute.deleteServer(server.id, signal);
    await compute.deleteServer(newUuid(), signal);
    await compute.deleteVolume(create.volumeId ?? '', signal);
    await compute.deleteVolume(create.volumeId ?? '', signal);
    await compute.deleteSnapshot(newUuid(), signal);
  }, 60_000);

  test('no two servers have one address, and hosts count their servers', async () => {
    const compute = await driver();
    const count = async (): Promise<number> => (await compute.hosts()).reduce((sum, host) => sum + host.servers, 0);
    const before = await count();
    const creates = [await request(), await request(), await request(false)];
    const servers = await Promise.all(creates.map((create) => compute.createServer(create, signal)));
    expect(new Set(servers.map((server) => `${server.addresses[0]?.address}:${server.addresses[0]?.port}`)).size).toBe(
      3,
    );
    expect((await count()) - before).toBe(3);
    for (const server of servers) await compute.deleteServer(server.id, signal);
  }, 60_000);

  test('the injected files are on the server as they were given', async () => {
    const compute = await driver();
    const server = await compute.createServer(await request(), signal);
    expect(await (await driver()).injectedFiles(server.id)).toEqual(FILES);
    await compute.deleteServer(server.id, signal);
  }, 60_000);
}

function describeResize({ driver, inside, signal, request }: World): void {
  test('a resized server has the other flavor, and keeps everything else', async () => {
    const compute = await driver();
    const create = await request();
    const server = await compute.createServer(create, signal);
    const flavor = (await compute.flavors()).find((other) => other.id !== create.flavor.id) ?? create.flavor;
    expect([server.flavorId, flavor.id]).toEqual([create.flavor.id, expect.not.stringMatching(create.flavor.id)]);
    for (const where of ['root', 'volume'] as const) await inside.write(server, where, 'planted', where);
    const resized = await compute.resizeServer({ serverId: server.id, flavor }, signal);
    expect(resized).toEqual({ ...server, flavorId: flavor.id });
    for (const where of ['root', 'volume'] as const) expect(await inside.read(resized, where, 'planted')).toBe(where);
    expect(await compute.injectedFiles(server.id)).toEqual(FILES);
    await compute.stopServer(server.id, signal);
    const again = await (await driver()).resizeServer({ serverId: server.id, flavor }, signal);
    expect(again, 'a repeat starts what an interrupted one has stopped').toEqual(resized);
    const unknown = { ...flavor, id: 'no such flavor' };
    await expect(compute.resizeServer({ serverId: server.id, flavor: unknown }, signal)).rejects.toMatchObject({
      code: 'FLAVOR_NOT_FOUND',
    });
    expect(await (await driver()).getServer(server.id)).toEqual(resized);
    await compute.deleteServer(server.id, signal);
    await compute.deleteVolume(create.volumeId ?? '', signal);
  }, 60_000);

  test('a volume grows under a running server, and never shrinks', async () => {
    const compute = await driver();
    const create = await request();
    const volumeId = create.volumeId ?? '';
    const server = await compute.createServer(create, signal);
    await inside.write(server, 'volume', 'planted', 'inside');
    expect(await compute.volumeSize(volumeId)).toBe(1);
    await compute.extendVolume(volumeId, 3, signal);
    await (await driver()).extendVolume(volumeId, 2, signal);
    expect(await (await driver()).volumeSize(volumeId)).toBe(3);
    const listed = await (await driver()).listOwned(create.deploymentId, create.instanceId);
    expect(listed.toSorted(byKind)).toMatchObject([
      { kind: 'server', flavorId: create.flavor.id },
      { kind: 'volume', size: 3 },
    ]);
    expect(await compute.getServer(server.id)).toEqual(server);
    expect(await inside.read(server, 'volume', 'planted')).toBe('inside');
    await compute.deleteServer(server.id, signal);
    await compute.deleteVolume(volumeId, signal);
    expect(await compute.volumeSize(volumeId)).toBeUndefined();
    expect(await compute.listOwned(create.deploymentId)).toEqual([]);
    const again = { deploymentId: create.deploymentId, instanceId: create.instanceId, size: 1 };
    const made = await compute.createVolume({ ...again, clientToken: `volume-${create.instanceId}` }, signal);
    expect([made.volumeId, await compute.volumeSize(made.volumeId)], 'no trace of the one before').toEqual([
      volumeId,
      1,
    ]);
    await compute.deleteVolume(volumeId, signal);
    await expect(compute.extendVolume(volumeId, 4, signal)).rejects.toMatchObject({ code: 'COMPUTE_ERROR' });
  }, 60_000);
}

function describeRebuild({ driver, inside, signal, request }: World): void {
  test('a rebuild keeps id, address and volume, throws the root away and replaces the files', async () => {
    const compute = await driver();
    const server = await compute.createServer(await request(), signal);
    await inside.write(server, 'root', 'planted', 'outside');
    await inside.write(server, 'volume', 'planted', 'inside');
    const other = (await compute.images()).find((image) => image.id !== server.imageId);
    const files = { '/etc/trove/conf.d/guest_info.conf': '[DEFAULT]\nguest_id = 2\n' };
    const rebuild = { clientToken: `rebuild-${server.id}`, serverId: server.id, imageId: other?.id ?? '', files };
    const rebuilt = await compute.rebuildServer(rebuild, signal);
    expect(rebuilt).toEqual({ ...server, imageId: other?.id, generation: rebuild.clientToken });
    expect(await inside.read(rebuilt, 'root', 'planted')).toBeUndefined();
    expect(await inside.read(rebuilt, 'volume', 'planted')).toBe('inside');
    expect(await compute.injectedFiles(server.id)).toEqual(files);
    await inside.write(server, 'root', 'planted', 'again');
    expect(await (await driver()).rebuildServer(rebuild, signal)).toEqual(rebuilt);
    expect(await inside.read(rebuilt, 'root', 'planted'), 'the same token rebuilds once').toBe('again');
    await compute.deleteServer(server.id, signal);
  }, 60_000);

  test('a rebuild from an unknown image touches nothing', async () => {
    const compute = await driver();
    const server = await compute.createServer(await request(), signal);
    await inside.write(server, 'root', 'planted', 'outside');
    const rebuild = { clientToken: 'other', serverId: server.id, imageId: newUuid(), files: {} };
    await expect(compute.rebuildServer(rebuild, signal)).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
    expect(await compute.getServer(server.id)).toEqual(server);
    expect(await inside.read(server, 'root', 'planted')).toBe('outside');
    expect(await compute.injectedFiles(server.id)).toEqual(FILES);
    await compute.deleteServer(server.id, signal);
  }, 60_000);
}

function describeVolumes({ driver, inside, signal, request }: World): void {
  test('a volume is found by its token, and the same token never makes two', async () => {
    const create = await request();
    const compute = await driver();
    const token = `volume-${create.instanceId}`;
    expect(await compute.findVolume(token)).toEqual({ volumeId: create.volumeId });
    const again = { deploymentId: create.deploymentId, instanceId: create.instanceId, clientToken: token, size: 1 };
    expect(await compute.createVolume(again, signal)).toEqual({ volumeId: create.volumeId });
    await compute.deleteVolume(create.volumeId ?? '', signal);
    expect(await compute.findVolume(token)).toBeUndefined();
  });

  test('a restored volume is what it was at the snapshot', async () => {
    const compute = await driver();
    const create = await request();
    const server = await compute.createServer(create, signal);
    await inside.write(server, 'volume', 'data', 'before');
    await compute.stopServer(server.id, signal);
    const { snapshotId } = await compute.snapshotVolume(create.volumeId ?? '', 'snapshot-token', signal);
    expect(await (await driver()).snapshotVolume(create.volumeId ?? '', 'snapshot-token', signal)).toEqual({
      snapshotId,
    });
    expect(await (await driver()).findSnapshot('snapshot-token')).toEqual({ snapshotId });
    await inside.write(server, 'volume', 'data', 'after');
    await inside.write(server, 'volume', 'new', 'after');
    await compute.restoreVolume(create.volumeId ?? '', snapshotId, signal);
    expect(await inside.read(server, 'volume', 'data')).toBe('before');
    expect(await inside.read(server, 'volume', 'new')).toBeUndefined();
    await compute.deleteSnapshot(snapshotId, signal);
    expect(await (await driver()).findSnapshot('snapshot-token')).toBeUndefined();
    await expect(compute.restoreVolume(create.volumeId ?? '', snapshotId, signal)).rejects.toMatchObject({
      code: 'COMPUTE_ERROR',
    });
    await compute.startServer(server.id, signal);
    await compute.deleteServer(server.id, signal);
    expect(await compute.findVolume(`volume-${create.instanceId}`), 'a server goes without its volume').toEqual({
      volumeId: create.volumeId,
    });
    await compute.deleteVolume(create.volumeId ?? '', signal);
  }, 60_000);

  test('what a deployment owns is listed, and nothing of another', async () => {
    const compute = await driver();
    const { deploymentId, ...create } = await request();
    const stranger = await request();
    const server = await compute.createServer({ ...create, deploymentId }, signal);
    await compute.stopServer(server.id, signal);
    const { snapshotId } = await compute.snapshotVolume(create.volumeId ?? '', `snapshot-${server.id}`, signal);
    const { instanceId, clientToken } = create;
    const common = { deploymentId, instanceId };
    const volume = { ...common, kind: 'volume', id: create.volumeId, clientToken: `volume-${instanceId}`, size: 1 };
    const snapshot = { ...common, kind: 'snapshot', id: snapshotId, clientToken: `snapshot-${server.id}` };
    const listed = async () => (await (await driver()).listOwned(deploymentId)).toSorted(byKind);
    const shown = { ...common, kind: 'server', id: server.id, clientToken, flavorId: create.flavor.id };
    expect(await listed()).toEqual([shown, snapshot, volume]);
    expect(await compute.listOwned(deploymentId, newUuid())).toEqual([]);
    expect(await compute.listOwned(deploymentId, instanceId)).toHaveLength(3);
    await compute.deleteServer(server.id, signal);
    await compute.deleteVolume(create.volumeId ?? '', signal);
    expect(await listed(), 'a snapshot outlives its volume').toEqual([snapshot]);
    await compute.deleteSnapshot(snapshotId, signal);
    expect(await listed()).toEqual([]);
    expect(await compute.listOwned(stranger.deploymentId)).toHaveLength(1);
    await compute.deleteVolume(stranger.volumeId ?? '', signal);
  }, 60_000);

  test('an aborted signal stops a request before it has made anything', async () => {
    const compute = await driver();
    const create = await request(false);
    await expect(compute.createServer(create, AbortSignal.abort(new Error('lease lost')))).rejects.toThrow(
      'lease lost',
    );
    expect(await compute.findServers(create.clientToken)).toEqual([]);
  });
}
