import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { newUuid, type ProcessIdentity, processRuns, signalProcess, waitForExit } from '@trove/common';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { agentsOn, listen, localWorld, nextAddress } from '../../test/local_world.ts';
import { computeConformance, type ServerInside } from '../conformance.ts';
import type { CreateServer } from '../driver.ts';
import type { LocalInstallation } from './images.ts';

const world = localWorld('127.66.0.0/24');
const { folder, account, open, newServer } = world;
const signal = new AbortController().signal;

function agentOf(root: string, create: CreateServer): ProcessIdentity {
  return JSON.parse(readFileSync(join(folder, root, create.instanceId, 'agent.process'), 'utf8')) as ProcessIdentity;
}

async function eventually<T>(look: () => T): Promise<T> {
  return vi.waitFor(look, { timeout: 40_000, interval: 50 });
}

afterAll(() => world.dispose());

const inside: ServerInside = {
  write: async (server, where, name, text) => {
    const path = join(open('suite').paths(server.id)[where] ?? '', name);
    writeFileSync(path, text);
    if (account !== undefined) chownSync(path, account.uid, account.gid);
  },
  read: async (server, where, name) => {
    const path = join(open('suite').paths(server.id)[where] ?? '', name);
    return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  },
};
computeConformance('local', { open: async () => open('suite'), dispose: async () => undefined, inside });

describe('local compute', () => {
  test('an agent gets its own files, runs as the guest account, and sees nothing of our environment', async () => {
    vi.stubEnv('TROVE_TASKMANAGER_RPC_ENCR_KEY', 'not for guests');
    const compute = open('launch');
    const { create, server } = await newServer(compute);
    const paths = compute.paths(server.id);
    const seen = await eventually(
      () => JSON.parse(readFileSync(join(paths.root, 'run/seen.json'), 'utf8')) as Record<string, unknown>,
    );
    expect(seen['argv']).toEqual([
      ...['--config-file', join(paths.files, 'etc/trove/conf.d/guest_info.conf')],
      ...['--server-file', join(paths.root, 'etc/trove/server.json')],
    ]);
    expect(Object.keys(seen['env'] as object).sort()).toEqual(['HOME', 'LANG', 'PATH']);
    expect(seen['uid']).toBe(account?.uid ?? process.getuid?.());
    expect(seen['server']).toEqual({
      address: server.addresses[0]?.address,
      port: 15432,
      volume_dir: paths.volume,
      volume_size: 1,
      root_dir: paths.root,
      bin_dir: '/opt/one',
      manager: 'postgresql',
      version: '18.4',
      account: account === undefined ? null : { uid: account.uid, gid: account.gid },
    });
    expect(statSync(join(paths.files, 'etc/trove/conf.d/guest_info.conf')).mode & 0o777).toBe(0o600);
    expect(paths.root).toContain(`/${create.instanceId}/`);
    vi.unstubAllEnvs();
  });

  test('stopping a server ends its agent and what the agent has left running, even after the agent was killed', async () => {
    const compute = open('stop');
    const { create, server } = await newServer(compute);
    const file = join(compute.paths(server.id).root, 'run/database.process');
    const database = await eventually(() => JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity);
    signalProcess(agentOf('stop', create), 'SIGKILL');
    await waitForExit(agentOf('stop', create), 5000);
    expect((await compute.getServer(server.id))?.status, 'its database still runs').toBe('ACTIVE');
    await open('stop').stopServer(server.id, signal);
    expect(processRuns(database)).toBe(false);
    expect((await compute.getServer(server.id))?.status).toBe('SHUTDOWN');
  });

  test('a dead agent is started again, once, however many taskmanagers watch', async () => {
    const watchers = [open('watch'), open('watch'), open('watch')];
    const { create } = await newServer(open('watch'));
    for (const compute of watchers) await compute.adoptAll();
    const first = agentOf('watch', create);
    signalProcess(first, 'SIGKILL');
    const second = await eventually(() => {
      const agent = agentOf('watch', create);
      expect(agent.pid).not.toBe(first.pid);
      return agent;
    });
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(agentOf('watch', create)).toEqual(second);
    expect(agentsOn(create)).toEqual([second.pid]);
  });

  test('at boot every server that should run is started, one that runs is taken over, one that was stopped stays so', async () => {
    const before = open('boot');
    const [running, dead, stopped] = [await newServer(before), await newServer(before), await newServer(before)];
    const kept = agentOf('boot', running.create);
    signalProcess(agentOf('boot', dead.create), 'SIGKILL');
    await waitForExit(agentOf('boot', dead.create), 5000);
    await before.stopServer(stopped.server.id, signal);
    await open('boot').adoptAll();
    expect(agentOf('boot', running.create)).toEqual(kept);
    expect(processRuns(agentOf('boot', dead.create))).toBe(true);
    expect((await before.getServer(stopped.server.id))?.status).toBe('SHUTDOWN');
    expect(agentsOn(stopped.create)).toEqual([]);
  });

  test('servers of another host are left to it', async () => {
    const there = open('hosts', { host: 'there' });
    const { create } = await newServer(there);
    signalProcess(agentOf('hosts', create), 'SIGKILL');
    await waitForExit(agentOf('hosts', create), 5000);
    await open('hosts').adoptAll();
    expect(agentsOn(create)).toEqual([]);
    expect(await open('hosts').hosts()).toEqual([{ name: 'here', servers: 0 }]);
  });

  test('a create that was interrupted is ended by its repetition, with the address it had', async () => {
    const compute = open('interrupted', {
      runner: { start: async () => Promise.reject(new Error('killed here')), adopt: () => undefined },
    });
    const failed = newServer(compute);
    await expect(failed).rejects.toThrow('killed here');
    const [instanceId = ''] = readdirSync(join(folder, 'interrupted')).filter((name) => name.length === 36);
    const file = join(folder, 'interrupted', instanceId, 'record.json');
    const record = JSON.parse(readFileSync(file, 'utf8')) as { client_token: string; address: string };
    const [found] = await open('interrupted').findServers(record.client_token);
    expect(found).toMatchObject({ status: 'SHUTDOWN', addresses: [{ address: record.address }] });
    await open('interrupted').adoptAll();
    expect((await open('interrupted').findServers(record.client_token))[0]?.status).toBe('ACTIVE');
  });

  test('an address on which the port is busy is marked and the next one taken; a port held everywhere gives one on 127.0.0.1', async () => {
    const compute = open('addresses');
    const { server } = await newServer(compute);
    const busy = nextAddress(server.addresses[0]?.address ?? '');
    const listener = await listen(busy, 15432);
    const { server: other } = await newServer(compute);
    expect(other.addresses).toEqual([{ address: nextAddress(busy), type: 'private' }]);
    expect(readFileSync(join(folder, 'addresses/addresses', busy), 'utf8')).toBe('busy');
    listener.close();
    await compute.deleteServer(other.id, signal);
    expect(readdirSync(join(folder, 'addresses/addresses'))).not.toContain(other.addresses[0]?.address);
  });

  test('a port that is held on all addresses gives the server one of its own on 127.0.0.1, which is shown', async () => {
    const listener = await listen('0.0.0.0', 15999);
    const find = async (): Promise<LocalInstallation[]> => [
      { manager: 'postgresql', version: '18.4', binDir: '/opt/one', port: 15999 },
    ];
    const compute = open('ports', { installations: { find, inspect: async () => undefined } });
    expect(await compute.managersOnLoopbackPorts()).toEqual(['postgresql']);
    const { server } = await newServer(compute);
    listener.close();
    await once(listener, 'close');
    expect(await compute.managersOnLoopbackPorts()).toEqual([]);
    expect(server.addresses).toEqual([{ address: '127.0.0.1', type: 'private', port: expect.any(Number) as number }]);
    expect(server.addresses[0]?.port).not.toBe(15999);
  });

  test('images keep their ids, one that the operator names is listed too, and a wrong one is said', async () => {
    const [one, other] = [await open('images').images(), await open('images').images()];
    expect(one).toEqual(other);
    const id = newUuid();
    expect((await open('images', { namedImages: { [id]: '/opt/own' } }).images()).at(-1)).toMatchObject({
      id,
      manager: 'postgresql',
    });
    await expect(open('images', { namedImages: { [id]: '/nowhere' } }).images()).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
    await expect(open('images', { namedImages: { mine: '/opt/own' } }).images()).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });

  test('flavors 1, 2 and 25 are written at first start; what the operator makes of them is read, and a mistake is said', async () => {
    const compute = open('flavors');
    expect((await compute.flavors()).map((flavor) => flavor.id)).toEqual(['1', '2', '25']);
    const file = join(folder, 'flavors/flavors.json');
    writeFileSync(file, '[{"id":"9","name":"own","ram":1,"vcpus":1,"disk":0}]');
    expect(await open('flavors').flavors()).toEqual([
      { id: '9', name: 'own', ram: 1, vcpus: 1, disk: 0, ephemeral: 0 },
    ]);
    writeFileSync(file, '[{"id":"9","name":"own","ram":"much","vcpus":1,"disk":0}]');
    await expect(compute.flavors()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  test('a guest that puts a link in the place of a folder leads nobody out of its server', async () => {
    const compute = open('links');
    const { server } = await newServer(compute);
    const { root } = compute.paths(server.id);
    await compute.stopServer(server.id, signal);
    rmSync(join(root, 'run'), { recursive: true });
    symlinkSync(folder, join(root, 'run'));
    const mode = statSync(folder).mode;
    await expect(compute.startServer(server.id, signal)).rejects.toMatchObject({ code: 'COMPUTE_ERROR' });
    expect(statSync(folder).mode).toBe(mode);
    await compute.deleteServer(server.id, signal);
    expect(existsSync(join(folder, 'agent.cjs'))).toBe(true);
  });

  test('what a guest writes where we read stops nobody: no identity, a pipe, a file beyond measure', async () => {
    const compute = open('strange');
    const { server } = await newServer(compute);
    const { files, root } = compute.paths(server.id);
    writeFileSync(join(root, 'run/odd.process'), 'no JSON');
    writeFileSync(join(root, 'run/null.process'), 'null');
    execFileSync('mkfifo', [join(root, 'run/pipe.process')]);
    writeFileSync(join(files, 'large'), '');
    truncateSync(join(files, 'large'), 1e9);
    expect(await compute.getServer(server.id)).toMatchObject({ status: 'ACTIVE' });
    await expect(compute.injectedFiles(server.id)).rejects.toMatchObject({ code: 'COMPUTE_ERROR' });
    await compute.deleteServer(server.id, signal);
    expect(await compute.getServer(server.id)).toBeUndefined();
  });

  test('an injected file cannot be put outside the server', async () => {
    const compute = open('escape');
    const { server, create } = await newServer(compute);
    const rebuild = {
      clientToken: 'x',
      serverId: server.id,
      imageId: create.imageId,
      files: { '/../../escaped': 'x' },
    };
    await expect(compute.rebuildServer(rebuild, signal)).rejects.toMatchObject({ code: 'COMPUTE_ERROR' });
    expect(existsSync(join(folder, 'escape/escaped'))).toBe(false);
    expect(await compute.getServer(server.id)).toEqual(server);
  });

  test('nothing of a deleted server and volume is left on disk', async () => {
    const compute = open('gone');
    const { server, create } = await newServer(compute);
    await compute.deleteServer(server.id, signal);
    await compute.deleteVolume(create.volumeId ?? '', signal);
    expect(readdirSync(join(folder, 'gone')).sort()).toEqual(['addresses', 'flavors.json', 'locks']);
    expect(readdirSync(join(folder, 'gone/addresses'))).toEqual([]);
  });

  test('a volume in use is not put back; one that grows tells its running server', async () => {
    const compute = open('volumes');
    const { create, server } = await newServer(compute);
    const [{ pid }, volumeId] = [agentOf('volumes', create), create.volumeId ?? ''];
    await compute.extendVolume(volumeId, 5, signal);
    const facts = JSON.parse(readFileSync(join(compute.paths(server.id).root, 'etc/trove/server.json'), 'utf8'));
    expect(facts).toMatchObject({ volume_size: 5, address: server.addresses[0]?.address });
    expect(agentOf('volumes', create).pid).toBe(pid);
    await compute.stopServer(server.id, signal);
    const { snapshotId } = await compute.snapshotVolume(volumeId, newUuid(), signal);
    await compute.startServer(server.id, signal);
    await expect(compute.restoreVolume(volumeId, snapshotId, signal)).rejects.toThrow('The volume is in use.');
  });
});
