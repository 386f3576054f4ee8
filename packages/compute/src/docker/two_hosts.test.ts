import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newUuid } from '@trove/common';
import { createAuthority } from '@trove/common/certificates';
import { cannotStartDocker, startDockerEngine } from '@trove/testkit';
import { afterAll, expect, test } from 'vitest';
import { type DockerWorld, dockerWorld, tellNotRun } from '../../test/docker_world.ts';
import { computeConformance } from '../conformance.ts';
import type { CreateServer, Flavor } from '../driver.ts';
import type { DockerCompute } from './docker_compute.ts';

const signal = new AbortController().signal;
const FLAVOR: Flavor = { id: '1', name: 'm1.tiny', ram: 512, vcpus: 1, disk: 1, ephemeral: 0 };
const DAY_MS = 86_400_000;
const later = new Date(Date.now() + DAY_MS);
const past = new Date(Date.now() - DAY_MS);

/** Two engines on this machine, each with its own CA-signed certificate, as two hosts in two zones. */
async function twoEngines(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'trove-two-hosts-'));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const ca = await createAuthority({ name: 'engines', notAfter: later });
  const other = await createAuthority({ name: 'others', notAfter: later });
  const issue = () => ca.issue({ name: 'engine', use: 'server', hosts: ['127.0.0.1'], notAfter: later });
  const client = await ca.issue({ name: 'taskmanager', use: 'client', notAfter: later });
  const files = {
    ca_file: file('ca.pem', ca.cert),
    cert_file: file('client.pem', client.cert),
    key_file: file('client.key', client.key),
  };
  const otherCa = file('other-ca.pem', other.cert);
  const engines = {
    one: await startDockerEngine({ ca: ca.cert, ...(await issue()) }),
    two: await startDockerEngine({ ca: ca.cert, ...(await issue()) }),
  };
  const hosts = { one: engines.one.tlsUrl ?? '', two: engines.two.tlsUrl ?? '' };
  const world: DockerWorld = await dockerWorld({
    sockets: { one: engines.one.url, two: engines.two.url },
    config: {
      ...files,
      host: hosts,
      zone: { one: 'az1', two: 'az2' },
      subnet: { one: '10.214.0.0/24', two: '10.215.0.0/24' },
    },
  });
  afterAll(async () => {
    await engines.one.stop();
    await engines.two.stop();
    rmSync(folder, { recursive: true });
  }, 120_000);

  async function create(compute: DockerCompute, zone?: string): Promise<CreateServer> {
    const owner = { deploymentId: newUuid(), instanceId: newUuid() };
    const imageId = world.imageIds[0] ?? '';
    const wish = { flavor: FLAVOR, imageId, ...(zone !== undefined && { availabilityZone: zone }) };
    const volume = await compute.createVolume({ ...owner, clientToken: newUuid(), size: 1, server: wish }, signal);
    return { ...owner, ...wish, ...volume, clientToken: newUuid(), projectId: 'p', name: 'n', files: {} };
  }

  /** Why a driver with these settings cannot speak with host one, as the operator reads it in the log. */
  async function refusal(change: Parameters<DockerWorld['open']>[0]): Promise<string> {
    const texts: string[] = [];
    const error = await world
      .open({ ...change, zone: {}, subnet: {} })
      .then((compute) => compute.getServer(serverOfOne))
      .catch((caught: unknown) => caught);
    for (let link = error; link instanceof Error; link = link.cause) texts.push(link.message);
    return texts.join('; ');
  }
  let serverOfOne = '';

  computeConformance('docker, two hosts over mutual TLS', {
    open: () => world.open(),
    dispose: () => Promise.resolve(),
    inside: world.inside,
  });

  test('a server goes to a host of its zone, with an address of that host, and where there is most room without one', async () => {
    const compute = await world.open();
    const servers = [];
    for (const zone of ['az2', 'az1', 'az2'])
      servers.push(await compute.createServer(await create(compute, zone), signal));
    expect(servers.map((server) => server.host)).toEqual(['two', 'one', 'two']);
    expect(servers.map((server) => server.addresses[0]?.address.split('.')[1])).toEqual(['215', '214', '215']);
    const anywhere = await compute.createServer(await create(compute), signal);
    expect(anywhere.host).toBe('one');
    expect((await compute.hosts()).map(({ name, servers: count }) => [name, count])).toEqual([
      ['one', 2],
      ['two', 2],
    ]);
    await expect(create(compute, 'az3')).rejects.toMatchObject({ message: expect.stringContaining('az3') });
    for (const { id } of [...servers, anywhere]) await compute.deleteServer(id, signal);
  });

  test('two processes with one token place one volume', async () => {
    const drivers = [await world.open(), await world.open()];
    const server = { flavor: FLAVOR, imageId: world.imageIds[0] ?? '' };
    const used = async () => ((await drivers[0]?.hosts()) ?? []).map(({ usedRam = 0 }) => usedRam);
    const before = await used();
    for (let round = 0; round < 8; round += 1) {
      const request = { deploymentId: newUuid(), instanceId: newUuid(), clientToken: newUuid(), size: 1, server };
      const made = await Promise.all(drivers.map((compute) => compute.createVolume(request, signal)));
      expect(made[1]).toEqual(made[0]);
      expect(await drivers[0]?.listOwned(request.deploymentId)).toHaveLength(1);
    }
    const after = await used();
    const grown = after.map((ram, index) => ram - (before[index] ?? 0));
    expect(grown, 'a volume keeps the room for its server').toEqual([4 * FLAVOR.ram, 4 * FLAVOR.ram]);
  });

  test('an engine is spoken to only by TLS that holds: authority, name, time, and a certificate of ours', async () => {
    const compute = await world.open();
    const server = await compute.createServer(await create(compute, 'az1'), signal);
    serverOfOne = server.id;
    const one = { host: { one: hosts.one } };
    expect(await refusal({ ...one, ca_file: otherCa })).toContain(
      `the server's certificate is from no authority in [compute_docker] ca_file = ${otherCa}`,
    );
    expect(await refusal({ host: { one: hosts.one.replace('127.0.0.1', 'localhost') } })).toContain(
      `the server's certificate is not for localhost, but for IP Address:127.0.0.1 (checked against [compute_docker] ca_file = ${files.ca_file})`,
    );
    const stranger = await other.issue({ name: 'stranger', use: 'client', notAfter: later });
    const strange = { cert_file: file('s.pem', stranger.cert), key_file: file('s.key', stranger.key) };
    expect(await refusal({ ...one, ...strange })).toContain(strange.cert_file);
    const old = await ca.issue({
      name: 'old',
      use: 'client',
      notBefore: new Date(past.getTime() - DAY_MS),
      notAfter: past,
    });
    const expired = { cert_file: file('o.pem', old.cert), key_file: file('o.key', old.key) };
    expect(await refusal({ ...one, ...expired })).toMatch(`[compute_docker] cert_file: ${expired.cert_file}`);
    expect(await refusal({ ...one, cert_file: undefined })).toContain('[compute_docker] cert_file is not set');
    expect(await refusal({ ...one, ca_file: undefined })).toContain('[compute_docker] ca_file is not set');
    expect(await refusal({ host: { one: await expiredServer() } })).toContain(
      `the server's certificate has expired (checked against [compute_docker] ca_file = ${files.ca_file})`,
    );
    await compute.deleteServer(server.id, signal);
  });

  test('while one host is away the other goes on, and nothing is taken for gone that may be there', async () => {
    const compute = await world.open();
    const [there, away] = [
      await compute.createServer(await create(compute, 'az1'), signal),
      await compute.createServer(await create(compute, 'az2'), signal),
    ];
    const nobody = { host: { one: hosts.one, two: 'tcp://127.0.0.1:9' } };
    const half = await world.open(nobody);
    expect(await half.getServer(there.id)).toEqual(there);
    for (const ask of [
      () => half.getServer(away.id),
      () => half.deleteServer(away.id, signal),
      () => half.findServers(newUuid()),
      () => half.listOwned(newUuid()),
    ])
      await expect(ask()).rejects.toMatchObject({ code: 'COMPUTE_ERROR', retryable: true });
    await half.deleteServer(newUuid(), signal);
    expect((await half.hosts()).map(({ name }) => name)).toEqual(['one']);
    expect((await half.createServer(await create(half), signal)).host).toBe('one');
    await expect(create(half, 'az2')).rejects.toMatchObject({ code: 'COMPUTE_ERROR' });
    for (const { id } of [there, away]) await compute.deleteServer(id, signal);
  });

  test('with one engine stopped, what is on the other is deleted by its id', async () => {
    const server = await (await world.open()).createServer(await create(await world.open(), 'az1'), signal);
    const volumeId = server.volumeId ?? '';
    const stopped = await startDockerEngine({ ca: ca.cert, ...(await issue()) });
    await stopped.stop();
    const half = await world.open({ host: { one: hosts.one, two: stopped.tlsUrl ?? '' } });
    await half.stopServer(server.id, signal);
    const { snapshotId } = await half.snapshotVolume(volumeId, newUuid(), signal);
    await half.deleteServer(server.id, signal);
    expect(await half.getServer(server.id)).toBeUndefined();
    await half.deleteSnapshot(snapshotId, signal);
    await half.deleteVolume(volumeId, signal);
    expect(await half.volumeSize(volumeId)).toBeUndefined();
    await expect(half.findServers(newUuid()), 'the other host may have it').rejects.toMatchObject({ retryable: true });
    expect(await half.findServers(newUuid(), volumeId), 'only this one may').toEqual([]);
    await expect(half.findSnapshot(newUuid())).rejects.toMatchObject({ retryable: true });
    expect(await half.findSnapshot(newUuid(), volumeId)).toBeUndefined();
  });

  test('the host of a volume is told before it is made, and from then on no other is asked for it', async () => {
    const compute = await world.open();
    const half = await world.open({ host: { one: hosts.one, two: 'tcp://127.0.0.1:9' } });
    const request = (zone: string) => {
      const server = { flavor: FLAVOR, imageId: world.imageIds[0] ?? '', availabilityZone: zone };
      return { deploymentId: newUuid(), instanceId: newUuid(), clientToken: newUuid(), size: 1, server };
    };
    const [near, far] = [request('az1'), request('az2')];
    const refusing = async (): Promise<void> => {
      throw new Error('the fence has passed');
    };
    await expect(compute.createVolume({ ...near, onChosen: refusing }, signal)).rejects.toThrow('the fence has passed');
    const told: string[] = [];
    const onChosen = async (volumeId: string): Promise<void> => {
      told.push(volumeId);
      expect(await compute.volumeSize(volumeId)).toBeUndefined();
    };
    const { volumeId } = await half.createVolume({ ...near, onChosen }, signal);
    const there = await compute.createVolume({ ...far, onChosen }, signal);
    expect(told).toEqual([volumeId, there.volumeId]);
    expect(await half.findVolume(near.clientToken, volumeId)).toEqual({ volumeId });
    expect(await half.createVolume({ ...near, volumeId, onChosen }, signal)).toEqual({ volumeId });
    const silent = { code: 'COMPUTE_ERROR', retryable: true };
    await expect(half.findVolume(newUuid()), 'any may have it').rejects.toMatchObject(silent);
    await expect(half.findVolume(far.clientToken, there.volumeId)).rejects.toMatchObject(silent);
    const again = { ...far, server: near.server, volumeId: there.volumeId, onChosen };
    await expect(half.createVolume(again, signal), 'the chosen one may have it').rejects.toMatchObject(silent);
    expect(told).toHaveLength(2);
    await compute.deleteVolume(there.volumeId, signal);
    const moved = await compute.createVolume(again, signal);
    expect(told.slice(2), 'it says that it has none').toEqual([moved.volumeId]);
    for (const id of [volumeId, moved.volumeId]) await compute.deleteVolume(id, signal);
  }, 60_000);

  async function expiredServer(): Promise<string> {
    const notBefore = new Date(past.getTime() - DAY_MS);
    const pair = await ca.issue({ name: 'e', use: 'server', hosts: ['127.0.0.1'], notBefore, notAfter: past });
    const server = createServer(pair, (_request, response) => response.end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    afterAll(() => new Promise((resolve) => server.close(resolve)));
    const address = server.address();
    return `tcp://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  }
}

const reason = cannotStartDocker();
await (reason === undefined ? twoEngines() : tellNotRun(reason));
