import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { isTroveError, newUuid } from '@trove/common';
import type { ContainerInfo } from 'dockerode';
import { describe, expect, test } from 'vitest';
import type { Flavor } from '../driver.ts';
import { archiveOf, filesOf } from './archive.ts';
import { agentArguments } from './container_spec.ts';
import { dockerChoices } from './docker_choices.ts';
import { type DockerHostsConfig, dockerHosts } from './docker_hosts.ts';
import { dockerImages } from './docker_images.ts';
import { openEngines } from './engine.ts';
import { hostDigits, idOn, isOn } from './ids.ts';
import { type ServerSpec, serverLabels, specOf } from './labels.ts';
import { freeAddresses } from './network.ts';
import { chooseHost, type HostLoad } from './placement.ts';
import { byServer, toServer } from './server_view.ts';
import { parseSubnet, type Subnet } from './subnet.ts';

const FLAVOR: Flavor = { id: '1', name: 'tiny', ram: 512, vcpus: 1, disk: 1, ephemeral: 0 };
const SPEC: ServerSpec = {
  id: 'server',
  token: 'token',
  deploymentId: 'd',
  instanceId: 'i',
  projectId: 'p',
  generation: 'g',
  imageId: 'image',
  flavor: FLAVOR,
  volumeId: null,
  address: '10.0.0.9',
  port: 3306,
  publicPort: null,
};

function config(given: Partial<DockerHostsConfig>): DockerHostsConfig {
  return { host: {}, zone: {}, subnet: {}, public_address: {}, ports: '20000-29999', ...given };
}

function subnet(text: string): Subnet {
  return parseSubnet(text) ?? { base: 0, size: 4 };
}

describe('hosts', () => {
  test('are what the options say, by name', () => {
    const hosts = dockerHosts(
      config({
        host: { b: 'tcp://db.example.org', a: 'unix:///run/docker.sock' },
        zone: { b: 'az2' },
        subnet: { b: '10.90.0.0/24' },
        public_address: { b: '192.0.2.7' },
      }),
    );
    expect(hosts).toEqual([
      {
        name: 'a',
        endpoint: { kind: 'socket', path: '/run/docker.sock' },
        zone: 'nova',
        subnet: subnet('10.89.0.0/16'),
        published: undefined,
      },
      {
        name: 'b',
        endpoint: { kind: 'tls', host: 'db.example.org', port: 2376 },
        zone: 'az2',
        subnet: subnet('10.90.0.0/24'),
        published: { address: '192.0.2.7', firstPort: 20_000, lastPort: 29_999 },
      },
    ]);
  });

  const socket = 'unix:///s';
  test.each<[string, Partial<DockerHostsConfig>]>([
    ['host: compute_driver = docker needs at least one host.<name>', {}],
    ['host.a: unix:///path or tcp://host:port is expected', { host: { a: 'http://x:2375' } }],
    ['host.a: unix:///path or tcp://host:port is expected', { host: { a: 'tcp://x:99999' } }],
    ['host.A_b: a name has letters', { host: { A_b: socket } }],
    ['zone.b: there is no host.b', { host: { a: socket }, zone: { b: 'az' } }],
    ['subnet.a: "10.0.0.0/31" is no range', { host: { a: socket }, subnet: { a: '10.0.0.0/31' } }],
    ['subnet.a: "10.0.0/24" is no range', { host: { a: socket }, subnet: { a: '10.0.0/24' } }],
    ['subnet.b: overlaps with that of a', { host: { a: socket, b: socket } }],
    ['subnet.b: overlaps', { host: { a: socket, b: socket }, subnet: { a: '10.1.0.0/16', b: '10.1.255.0/24' } }],
    ['public_address.a: "h" is no IPv4', { host: { a: socket }, public_address: { a: 'h' } }],
    ['ports: "5-6" is no range', { host: { a: socket }, public_address: { a: '10.0.0.1' }, ports: '5-6' }],
  ])('%s', (text, given) => {
    let refused: unknown;
    try {
      dockerHosts(config(given));
    } catch (error) {
      refused = error;
    }
    expect(isTroveError(refused, 'CONFIG_INVALID')).toBe(true);
    expect(String(refused)).toContain(`[compute_docker] ${text}`);
  });

  test('with public addresses hosts may have the same ranges', () => {
    const two = { host: { a: socket, b: socket }, public_address: { a: '192.0.2.1', b: '192.0.2.2' } };
    expect(dockerHosts(config(two))).toHaveLength(2);
  });
});

describe('placement', () => {
  const host = (name: string, given: Partial<HostLoad> = {}): HostLoad => {
    return { name, zone: 'nova', ram: 4096, vcpus: 2, usedRam: 0, servers: 0, ...given };
  };
  const wish = { zone: undefined, flavor: FLAVOR, token: 'token' };

  test('most free memory first, then fewest servers, then always the same', () => {
    expect(chooseHost([host('a', { usedRam: 1024 }), host('b')], wish)).toBe('b');
    expect(chooseHost([host('a', { servers: 2 }), host('b')], wish)).toBe('b');
    const alike = [host('a'), host('b'), host('c')];
    expect(chooseHost(alike.toReversed(), wish)).toBe(chooseHost(alike, wish));
    const tokens = Array.from({ length: 50 }, (_, index) => chooseHost(alike, { ...wish, token: String(index) }));
    expect(new Set(tokens).size).toBe(3);
  });

  test('memory is never promised twice, and nobody gets more processors than there are', () => {
    expect(chooseHost([host('a', { usedRam: 4096 - 512 })], wish)).toBe('a');
    for (const full of [host('a', { usedRam: 4096 - 511 }), host('a', { vcpus: 0 })])
      expect(() => chooseHost([full], wish)).toThrow('No host has room');
  });

  test('a zone that no host has is named', () => {
    expect(chooseHost([host('a'), host('b', { zone: 'az2', usedRam: 2048 })], { ...wish, zone: 'az2' })).toBe('b');
    expect(() => chooseHost([host('a')], { ...wish, zone: 'az9' })).toThrow('az9');
  });
});

test('an id says which host to ask, and a token always gives the same one', () => {
  const token = newUuid();
  const id = idOn('db-1', 'server', token);
  expect(id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  expect([isOn('db-1', id), isOn('db-2', id), id.startsWith(hostDigits('db-1'))]).toEqual([true, false, true]);
  expect(idOn('db-1', 'server', token)).toBe(id);
  expect(new Set([id, idOn('db-1', 'volume', token), idOn('db-2', 'server', token)]).size).toBe(3);
});

test('an instance gets no address of the engine, the gateway, the edges, or anybody else', () => {
  const range = subnet('10.0.0.0/29');
  const network = { name: 'n', subnet: subnet('10.0.0.0/28'), range, used: [subnet('10.0.0.9/30').base + 1] };
  const addresses = [...freeAddresses(network, 'server', new Set(['10.0.0.12']))];
  expect(addresses.toSorted()).toEqual(['10.0.0.10', '10.0.0.11', '10.0.0.13', '10.0.0.14', '10.0.0.8']);
});

describe('images', () => {
  test('are named with manager, version and reference', () => {
    const id = newUuid();
    expect(dockerImages({ [id]: ' mariadb  10.11 registry:5000/guest@sha256:00 ' })).toEqual([
      {
        id,
        name: 'registry:5000/guest@sha256:00',
        manager: 'mariadb',
        version: '10.11',
        reference: 'registry:5000/guest@sha256:00',
      },
    ]);
  });

  test.each([
    ['x', 'mariadb 10.11 ref', 'image.x: the name must be image.<uuid>'],
    [newUuid(), 'mariadb ref', '<manager> <version> <image reference> is expected'],
    [newUuid(), 'mariadb 1 ref more', '<manager> <version> <image reference> is expected'],
  ])('%s = %s is refused', (id, text, message) => {
    expect(() => dockerImages({ [id]: text })).toThrow(message);
  });
});

test('choices come from the configuration alone: flavors of a file, or the first ones where there is none', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'trove-choices-'));
  const flavorsFile = join(folder, 'flavors.json');
  const id = newUuid();
  const choices = dockerChoices({ flavorsFile, images: { [id]: 'mariadb 10.11 guest:1' } });
  expect(await choices.images()).toEqual([{ id, name: 'guest:1', manager: 'mariadb', version: '10.11' }]);
  expect((await choices.flavors()).map((flavor) => flavor.id)).toEqual(['1', '2', '25']);
  writeFileSync(flavorsFile, JSON.stringify([FLAVOR]));
  expect(await choices.flavors()).toEqual([FLAVOR]);
  rmSync(folder, { recursive: true });
});

test('a socket that does not let us in is named with its group', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'trove-socket-'));
  chmodSync(folder, 0o755);
  const path = join(folder, 'docker.sock');
  const server = createServer().listen(path);
  await once(server, 'listening');
  chmodSync(path, 0o000);
  const [engine] = await openEngines(dockerHosts(config({ host: { a: `unix://${path}` } })), {});
  const own = process.geteuid?.() ?? 0;
  process.seteuid?.(own === 0 ? 65_534 : own);
  const refused: unknown = await engine?.call((docker) => docker.ping()).catch((error: unknown) => error);
  process.seteuid?.(own);
  const text = refused instanceof Error && refused.cause instanceof Error ? refused.cause.message : '';
  expect(text).toContain(`host a: ${path} belongs to group ${statSync(path).gid}, and this account`);
  server.close();
  rmSync(folder, { recursive: true });
});

describe('what stands in labels', () => {
  const container = (Id: string, State: string, Created: number, given: Partial<ServerSpec> = {}): ContainerInfo => {
    return { Id, State, Created, Labels: { ...serverLabels({ ...SPEC, ...given }) } } as ContainerInfo;
  };

  test('comes back as it was', () => {
    for (const spec of [SPEC, { ...SPEC, volumeId: 'v', publicPort: 20_001 }])
      expect(specOf(serverLabels(spec))).toEqual(spec);
  });

  test('a container that has run counts before one that is to take its place, and of two of a kind the older', () => {
    const old = container('b', 'exited', 5);
    const next = container('a', 'created', 9, { generation: 'next' });
    const [server] = byServer([next, old]);
    expect(server?.current).toBe(old);
    expect(server?.others).toEqual([next]);
    expect(byServer([next, container('c', 'created', 3)])[0]?.current.Id).toBe('c');
  });

  test.each([
    ['created', 'BUILD'],
    ['running', 'ACTIVE'],
    ['restarting', 'SHUTDOWN'],
    ['exited', 'SHUTDOWN'],
    ['paused', 'SHUTDOWN'],
    ['dead', 'ERROR'],
  ])('%s is %s', (state, status) => {
    const [host] = dockerHosts(config({ host: { a: 'unix:///s' } }));
    const [found] = byServer([container('a', state, 1)]);
    expect(found && host && toServer(found, host).status).toBe(status);
  });
});

test('the agent reads its own file first, and what stands in conf.d wins', () => {
  const files = {
    '/etc/trove/conf.d/guest_info.conf': '',
    '/etc/trove/broker-ca.pem': '',
    '/etc/trove/trove-guestagent.conf': '',
  };
  expect(agentArguments(files)).toEqual([
    ...['--config-file', '/var/lib/trove/root/files/etc/trove/trove-guestagent.conf'],
    ...['--config-file', '/var/lib/trove/root/files/etc/trove/conf.d/guest_info.conf'],
    ...['--server-file', '/var/lib/trove/root/server.json'],
  ]);
});

test('files that a guest has let grow out of all measure are not read', async () => {
  const owner = { uid: 1, gid: 1 };
  const file = (name: string, text: string) => ({ kind: 'file', name, owner, mode: 0o600, text }) as const;
  const large = await archiveOf([file('a', 'x'.repeat(2 * 1024 * 1024))]);
  const many = await archiveOf(Array.from({ length: 200 }, (_, index) => file(String(index), '')));
  for (const tar of [large, many])
    await expect(filesOf(Readable.from([tar]))).rejects.toMatchObject({ code: 'COMPUTE_ERROR' });
  expect(await filesOf(Readable.from([await archiveOf([file('a', 'x')])]))).toEqual({ a: 'x' });
});
