import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

interface Service {
  image?: string;
  build?: { target: string };
  restart?: string;
  read_only?: boolean;
  user?: string;
  cap_drop?: string[];
  security_opt?: string[];
  mem_limit?: string;
  cpus?: number;
  pids_limit?: number;
  healthcheck?: { test?: string[]; disable?: boolean };
  environment?: Record<string, unknown>;
  volumes?: string[];
  ports?: string[];
  logging?: object;
  depends_on?: Record<string, { condition: string }>;
}

const CHECKOUT = join(import.meta.dirname, '..', '..', '..', '..');
const text = readFileSync(join(CHECKOUT, 'docker-compose.yml'), 'utf8');
const file = parse(text, { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
  networks: Record<string, unknown>;
};
const services = Object.entries(file.services);
/** Done once at each `up`: others wait for their end. */
const STEPS = ['init', 'catalog', 'network', 'ready', 'guest-mariadb', 'guest-postgresql'];

/** An image as it is without a registry of one's own. */
function defaultImage({ image = '' }: Service): string {
  return /^\$\{\w+:-(.+)\}$/.exec(image)?.[1] ?? image;
}

test.each(services)('%s has limits, a restart policy, a bounded log, and no way to more rights', (name, service) => {
  expect(service).toMatchObject({
    mem_limit: expect.any(String),
    cpus: expect.any(Number),
    pids_limit: expect.any(Number),
    restart: STEPS.includes(name) ? 'no' : 'unless-stopped',
    read_only: true,
    cap_drop: ['ALL'],
    logging: { driver: 'json-file', options: { 'max-size': '10m', 'max-file': '3' } },
  });
  expect(service.security_opt).toEqual(['no-new-privileges:true']);
});

test.each(services)('%s says whether it is healthy, or is a step whose end is waited for', (name, { healthcheck }) => {
  if (STEPS.includes(name)) expect(healthcheck).toEqual({ disable: true });
  else expect(healthcheck?.test?.[0]).toBe('CMD');
});

test('each start waits for the health of a service, or for the end of a step', () => {
  const waits = services.flatMap(([, { depends_on = {} }]) => Object.entries(depends_on));
  expect(waits.length).toBeGreaterThan(0);
  for (const [on, { condition }] of waits)
    expect({ on, condition }).toEqual({
      on,
      condition: STEPS.includes(on) ? 'service_completed_successfully' : 'service_healthy',
    });
});

test('the images are the public ones and those that the Dockerfile makes', () => {
  const images = new Set(services.map(([, service]) => defaultImage(service)));
  expect([...images].toSorted()).toEqual([
    'mysql:8.4',
    'rabbitmq:4-management',
    'trove-guest-mariadb:10.11',
    'trove-guest-postgresql:15',
    'trove:0.1',
  ]);
  const dockerfile = readFileSync(join(CHECKOUT, 'docker', 'Dockerfile'), 'utf8');
  const stages = [...dockerfile.matchAll(/^FROM (\S+) AS (\S+)$/gm)].map(([, from = '', stage = '']) => ({
    from,
    stage,
  }));
  const bases = stages.map(({ from }) => from).filter((from) => stages.every(({ stage }) => stage !== from));
  expect([...new Set(bases)].toSorted()).toEqual(['debian:bookworm-slim', 'node:24-bookworm-slim']);
  const targets = services.flatMap(([, { build }]) => (build === undefined ? [] : [build.target]));
  for (const target of targets) expect(stages.map(({ stage }) => stage)).toContain(target);
});

test('no secret is in the file: nothing that is named like one has a value but a path', () => {
  const named = services.flatMap(([, { environment = {} }]) =>
    Object.entries(environment).filter(([name]) => /pass|secret|token|key|cookie/i.test(name)),
  );
  expect(named).toEqual([['MYSQL_ROOT_PASSWORD_FILE', '/run/settings/root-password']]);
  expect(text).not.toMatch(/[A-Za-z0-9+/]{33,}/);
  expect(text).not.toMatch(/:\/\/[^\s/"']*:[^\s/"']*@/);
});

test("the engine's socket is in no service but the taskmanager and the step that joins its network, and the settings of each are its own", () => {
  const withSocket = services.filter(([, { volumes = [] }]) =>
    volumes.some((volume) => volume.includes('docker.sock')),
  );
  expect(withSocket.map(([name]) => name)).toEqual(['network', 'taskmanager']);
  const settings = ['secrets', 'api', 'taskmanager', 'conductor', 'catalog', 'rabbitmq-settings', 'mysql-settings'];
  for (const volume of settings) {
    const users = services.filter(([, { volumes = [] }]) => volumes.some((mount) => mount.startsWith(`${volume}:`)));
    const owner = volume.replace(/-settings$/, '');
    expect(users.map(([name]) => name)).toEqual(volume === 'secrets' ? ['init'] : ['init', owner]);
    const others = users.filter(([name]) => name !== 'init').flatMap(([, { volumes = [] }]) => volumes);
    for (const mount of others.filter((mounted) => mounted.startsWith(`${volume}:`))) expect(mount).toMatch(/:ro$/);
  }
});

test('ports are published on this machine only', () => {
  for (const port of services.flatMap(([, { ports = [] }]) => ports)) expect(port).toMatch(/^127\.0\.0\.1:/);
});
