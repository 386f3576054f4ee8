import { once } from 'node:events';
import { connect } from 'node:net';
import { newUuid, silentLogger } from '@trove/common';
import { afterAll, expect, test } from 'vitest';
import { containerOf, dockerWorld, onDockerEngine, runInside } from '../../test/docker_world.ts';
import { DyingEngine } from '../../test/dying_engine.ts';
import { computeConformance } from '../conformance.ts';
import type { CreateServer, Flavor } from '../driver.ts';
import { DockerCompute } from './docker_compute.ts';
import { dockerHosts } from './docker_hosts.ts';
import { dockerImages } from './docker_images.ts';

const signal = new AbortController().signal;
const FLAVOR: Flavor = { id: '1', name: 'm1.tiny', ram: 512, vcpus: 1, disk: 1, ephemeral: 0 };
const LARGER: Flavor = { id: '25', name: 'm1.database', ram: 1024, vcpus: 1, disk: 5, ephemeral: 0 };
const FILES = { '/etc/trove/conf.d/guest_info.conf': '[DEFAULT]\n', '/etc/trove/trove-guestagent.conf': '[DEFAULT]\n' };

await onDockerEngine(async (engine) => {
  const world = await dockerWorld({
    sockets: { here: engine.url },
    config: { host: { here: engine.url }, subnet: { here: '10.213.0.0/24' } },
  });
  const docker = world.dockerOf('here');
  const [imageId = '', otherImageId = ''] = world.imageIds;

  async function request(): Promise<CreateServer> {
    const owner = { deploymentId: newUuid(), instanceId: newUuid() };
    const compute = await world.open();
    const volume = await compute.createVolume({ ...owner, clientToken: newUuid(), size: 1 }, signal);
    return {
      ...owner,
      ...volume,
      clientToken: newUuid(),
      projectId: 'p',
      name: 'n',
      flavor: FLAVOR,
      imageId,
      files: FILES,
    };
  }

  /** A driver that is killed at its n-th request, and whether it came so far. */
  function dying(at: number): { compute: DockerCompute; died: () => boolean } {
    const hosts = dockerHosts(world.config);
    const engines = hosts.map((host) => new DyingEngine(host, engine.url, at));
    const compute = new DockerCompute(engines, dockerImages(world.config.image), world.config);
    return { compute, died: () => engines.some((one) => one.died) };
  }

  /** Runs work killed at each of its requests in turn; `after` follows each death. */
  async function killedEverywhere(
    work: (compute: DockerCompute) => Promise<unknown>,
    after: () => Promise<void>,
  ): Promise<number> {
    for (let deaths = 0; ; deaths += 1) {
      const { compute, died } = dying(deaths + 1);
      await work(compute).catch(() => undefined);
      if (!died()) return deaths;
      await after();
    }
  }

  async function partsOf(create: CreateServer): Promise<{ containers: number; roots: number }> {
    const filters = { label: [`trove.instance=${create.instanceId}`] };
    const containers = await docker.listContainers({ all: true, filters });
    const volumes = await docker.listVolumes({ filters });
    return { containers: containers.length, roots: volumes.Volumes.filter(({ Name }) => Name.includes('root')).length };
  }

  afterAll(() => world.dispose(), 120_000);
  const { inside } = world;
  computeConformance('docker', { open: () => world.open(), dispose: () => Promise.resolve(), inside });

  test('a server has the limits of its flavor, no capability, and a root that it cannot write', async () => {
    const compute = await world.open();
    const server = await compute.createServer(await request(), signal);
    const container = await containerOf(docker, server);
    const { HostConfig, Config } = await container.inspect();
    expect(HostConfig).toMatchObject({
      Memory: 512 * 1024 * 1024,
      MemorySwap: 512 * 1024 * 1024,
      NanoCpus: 1e9,
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges:true'],
      RestartPolicy: { Name: 'unless-stopped' },
      Privileged: false,
    });
    expect(Config.User).toBe('10001:10001');
    expect(Config.Env, 'nothing of ours stands in the environment').toEqual(['PATH=/bin']);
    expect(Config.Cmd).toEqual([
      ...['--config-file', '/var/lib/trove/root/files/etc/trove/trove-guestagent.conf'],
      ...['--config-file', '/var/lib/trove/root/files/etc/trove/conf.d/guest_info.conf'],
      ...['--server-file', '/var/lib/trove/root/server.json'],
    ]);
    expect(await runInside(container, 'touch', '/bin/x')).not.toBe(0);
    expect(await runInside(container, 'touch', '/var/lib/trove/volume/x'), 'notes of ours').not.toBe(0);
    expect(await runInside(container, 'touch', '/var/lib/trove/root/server.json')).not.toBe(0);
    for (const path of ['/var/lib/trove/root/files/etc/trove/conf.d/x', '/var/lib/trove/volume/data/x', '/tmp/x'])
      expect(await runInside(container, 'touch', path), path).toBe(0);
    await compute.deleteServer(server.id, signal);
  });

  test('a program on the host reaches a server by the address that it is shown with', async () => {
    const compute = await world.open();
    const server = await compute.createServer(await request(), signal);
    const [shown] = server.addresses;
    expect(shown).toMatchObject({ type: 'private', address: expect.stringMatching(/^10\.213\.0\./) });
    const socket = connect({ host: shown?.address ?? '', port: 3306 });
    const refused = await once(socket, 'connect').catch((error: unknown) => error);
    expect(refused, 'the server is there, and nothing listens').toMatchObject({ code: 'ECONNREFUSED' });
    await compute.deleteServer(server.id, signal);
  });

  test('with a public address a database has a port of it for life', async () => {
    const open = () => world.open({ public_address: { here: '127.0.0.1' }, ports: '28000-28999' });
    const creates = [await request(), await request()];
    const servers = await Promise.all(creates.map(async (create) => (await open()).createServer(create, signal)));
    const ports = servers.map((server) => server.addresses[0]?.port);
    expect(new Set(ports).size).toBe(2);
    const [one] = servers;
    expect(one?.addresses).toEqual([{ address: '127.0.0.1', type: 'public', port: ports[0] }]);
    const socket = connect({ host: '127.0.0.1', port: ports[0] ?? 0 });
    await once(socket, 'connect');
    socket.destroy();
    const rebuild = { clientToken: newUuid(), serverId: one?.id ?? '', imageId: otherImageId, files: FILES };
    expect((await (await open()).rebuildServer(rebuild, signal)).addresses).toEqual(one?.addresses);
    for (const server of servers) await (await open()).deleteServer(server.id, signal);
  });

  test('an image that the host lacks is refused, named with the host, before anything is made', async () => {
    const create = await request();
    const absent = newUuid();
    const compute = await world.open({ image: { [absent]: 'mariadb 1 trove-test-absent:1' } });
    const refusal = compute.createServer({ ...create, imageId: absent }, signal);
    await expect(refusal).rejects.toMatchObject({
      code: 'IMAGE_NOT_FOUND',
      cause: { message: expect.stringContaining('trove-test-absent:1 on host here') },
    });
    expect(await partsOf(create)).toEqual({ containers: 0, roots: 0 });
  });

  test('a resized server has other limits, and all else as before', async () => {
    const compute = await world.open();
    const server = await compute.createServer(await request(), signal);
    await world.inside.write(server, 'root', 'planted', 'here');
    const resized = await compute.resizeServer({ serverId: server.id, flavor: LARGER }, signal);
    expect(resized).toEqual({ ...server, flavorId: LARGER.id });
    const { HostConfig, Config } = await (await containerOf(docker, server)).inspect();
    expect(HostConfig.Memory).toBe(1024 * 1024 * 1024);
    expect(Config.Cmd).toContain('/var/lib/trove/root/server.json');
    expect(await world.inside.read(server, 'root', 'planted')).toBe('here');
    const before = (await containerOf(docker, server)).id;
    await compute.resizeServer({ serverId: server.id, flavor: LARGER }, signal);
    expect((await containerOf(docker, server)).id, 'a repeat leaves it alone').toBe(before);
    const huge = { ...LARGER, id: '2', ram: 1024 ** 3 };
    await expect(compute.resizeServer({ serverId: server.id, flavor: huge }, signal)).rejects.toMatchObject({
      message: 'No host has room for a server of this flavor.',
    });
    await compute.deleteServer(server.id, signal);
  });

  test('a volume grows, under a running server too, and never shrinks', async () => {
    const compute = await world.open();
    const create = await request();
    const volumeId = create.volumeId ?? '';
    const server = await compute.createServer(create, signal);
    expect(await compute.volumeSize(volumeId)).toBe(1);
    await compute.extendVolume(volumeId, 3, signal);
    await compute.extendVolume(volumeId, 2, signal);
    expect(await (await world.open()).volumeSize(volumeId)).toBe(3);
    await compute.deleteServer(server.id, signal);
    await compute.deleteVolume(volumeId, signal);
    expect(await compute.volumeSize(volumeId)).toBeUndefined();
    await expect(compute.extendVolume(volumeId, 5, signal)).rejects.toMatchObject({ code: 'COMPUTE_ERROR' });
  });

  test('a snapshot outlives its volume; what a deployment owns is listed, and nothing of another', async () => {
    const compute = await world.open();
    const create = await request();
    const { deploymentId, instanceId, clientToken } = create;
    const volumeId = create.volumeId ?? '';
    const server = await compute.createServer(create, signal);
    await world.inside.write(server, 'volume', 'data', 'before');
    await compute.stopServer(server.id, signal);
    const token = newUuid();
    expect(await compute.findSnapshot(token)).toBeUndefined();
    const { snapshotId } = await compute.snapshotVolume(volumeId, token, signal);
    expect(await compute.findSnapshot(token)).toEqual({ snapshotId });
    const common = { deploymentId, instanceId };
    const snapshot = { ...common, kind: 'snapshot', id: snapshotId, clientToken: token };
    const listed = await compute.listOwned(deploymentId);
    expect(listed).toHaveLength(3);
    expect(listed).toContainEqual({ ...common, kind: 'server', id: server.id, clientToken, flavorId: FLAVOR.id });
    expect(listed).toContainEqual(expect.objectContaining({ ...common, kind: 'volume', id: volumeId }));
    expect(listed).toContainEqual(snapshot);
    expect(await compute.listOwned(newUuid())).toEqual([]);
    await compute.deleteServer(server.id, signal);
    await compute.deleteVolume(volumeId, signal);
    expect(await compute.listOwned(deploymentId)).toEqual([snapshot]);
    await compute.deleteSnapshot(snapshotId, signal);
    expect(await compute.listOwned(deploymentId)).toEqual([]);
    expect(await compute.findSnapshot(token)).toBeUndefined();
  });

  test('a snapshot that was killed at any request is made whole by the same request, or goes with its volume', async () => {
    const create = await request();
    const volumeId = create.volumeId ?? '';
    const server = await (await world.open()).createServer(create, signal);
    await world.inside.write(server, 'volume', 'data', 'before');
    await (await world.open()).stopServer(server.id, signal);
    let token = newUuid();
    const deaths = await killedEverywhere(
      (compute) => compute.snapshotVolume(volumeId, token, signal),
      async () => {
        const compute = await world.open();
        const { snapshotId } = await compute.snapshotVolume(volumeId, token, signal);
        await world.inside.write(server, 'volume', 'data', 'after');
        await compute.restoreVolume(volumeId, snapshotId, signal);
        expect(await world.inside.read(server, 'volume', 'data')).toBe('before');
        await compute.deleteSnapshot(snapshotId, signal);
        token = newUuid();
      },
    );
    expect(deaths).toBeGreaterThan(5);
    const { compute: halfway } = dying(4);
    await expect(halfway.snapshotVolume(volumeId, newUuid(), signal)).rejects.toThrow('killed');
    const compute = await world.open();
    await compute.deleteServer(server.id, signal);
    await compute.deleteVolume(volumeId, signal);
    const left = await compute.listOwned(create.deploymentId);
    expect(left.map(({ kind }) => kind)).toEqual(['snapshot']);
    for (const { id } of left) await compute.deleteSnapshot(id, signal);
    expect(await compute.listOwned(create.deploymentId)).toEqual([]);
  }, 240_000);

  test('a server that was stopped stays stopped; one that ended by itself is started again, once it is of this deployment', async () => {
    const compute = await world.open();
    const [stopped, ended, foreign] = [await request(), await request(), await request()];
    const deployment = { deploymentId: newUuid() };
    const one = await compute.createServer({ ...stopped, ...deployment }, signal);
    const two = await compute.createServer({ ...ended, ...deployment }, signal);
    const three = await compute.createServer(foreign, signal);
    await compute.stopServer(one.id, signal);
    for (const server of [two, three]) await (await containerOf(docker, server)).kill();
    await compute.bringBack(deployment.deploymentId, silentLogger);
    const statuses = await Promise.all([one, two, three].map(async ({ id }) => (await compute.getServer(id))?.status));
    expect(statuses).toEqual(['SHUTDOWN', 'ACTIVE', 'SHUTDOWN']);
    for (const server of [one, two, three]) await compute.deleteServer(server.id, signal);
  });

  test('a create that was killed at any request is ended by the same request', async () => {
    const create = await request();
    const deaths = await killedEverywhere(
      (compute) => compute.createServer(create, signal),
      async () => {
        const compute = await world.open();
        const server = await compute.createServer(create, signal);
        expect(server.status).toBe('ACTIVE');
        expect(await compute.injectedFiles(server.id)).toEqual(FILES);
        expect(await partsOf(create)).toEqual({ containers: 1, roots: 1 });
        await compute.deleteServer(server.id, signal);
        expect(await partsOf(create)).toEqual({ containers: 0, roots: 0 });
      },
    );
    expect(deaths).toBeGreaterThan(5);
    for (const server of await (await world.open()).findServers(create.clientToken))
      await (await world.open()).deleteServer(server.id, signal);
  }, 240_000);

  test('a rebuild that was killed at any request is ended by the same request', async () => {
    const create = await request();
    const server = await (await world.open()).createServer(create, signal);
    let [from, to] = [imageId, otherImageId];
    let clientToken = newUuid();
    const files = { '/etc/trove/trove-guestagent.conf': 'new' };
    const deaths = await killedEverywhere(
      (compute) => compute.rebuildServer({ clientToken, serverId: server.id, imageId: to, files }, signal),
      async () => {
        const compute = await world.open();
        const now = await compute.rebuildServer({ clientToken, serverId: server.id, imageId: to, files }, signal);
        expect(now).toEqual({ ...server, imageId: to, generation: clientToken });
        expect(await compute.injectedFiles(server.id)).toEqual(files);
        expect((await partsOf(create)).containers).toBe(1);
        clientToken = newUuid();
        [from, to] = [to, from];
      },
    );
    expect(deaths).toBeGreaterThan(8);
    await (await world.open()).deleteServer(server.id, signal);
    expect(await partsOf(create)).toEqual({ containers: 0, roots: 0 });
  }, 240_000);
});
