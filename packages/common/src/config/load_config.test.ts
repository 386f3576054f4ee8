import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest';
import type { Secret } from '../secret.ts';
import { loadConfig } from './load_config.ts';
import { defineOptions } from './options.ts';
import { sharedOptions } from './shared_options.ts';

const options = defineOptions([
  sharedOptions.report_interval,
  sharedOptions.enable_secure_rpc_messaging,
  sharedOptions.taskmanager_rpc_encr_key,
  sharedOptions.transport_url,
  sharedOptions.control_exchange,
  sharedOptions.health_port,
  sharedOptions.auth_strategy,
  sharedOptions.database_connection,
  sharedOptions.compute_local_image,
  { section: 'DEFAULT', name: 'networks', type: 'list', help: 'For this test.' },
]);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trove-config-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function load(texts: string[], env: Record<string, string> = {}, onUnused?: (names: string[]) => void) {
  const files = texts.map((text, index) => {
    const file = join(folder, `${index}.conf`);
    writeFileSync(file, text);
    return file;
  });
  return loadConfig({ files, env, options, service: 'trove-test', ...(onUnused ? { onUnused } : {}) });
}

describe('values', () => {
  test('an option that nothing sets has its default, or is undefined or empty', () => {
    const config = load([]);
    expect(config.DEFAULT).toMatchObject({
      report_interval: 30,
      enable_secure_rpc_messaging: true,
      control_exchange: 'trove',
    });
    expect(config.DEFAULT.transport_url).toBeUndefined();
    expect(config.DEFAULT.taskmanager_rpc_encr_key).toEqual([]);
    expect(config.compute_local.image).toEqual({});
  });

  test('the types follow from the table', () => {
    const config = load([]);
    expectTypeOf(config.DEFAULT.report_interval).toEqualTypeOf<number>();
    expectTypeOf(config.DEFAULT.health_port).toEqualTypeOf<number | undefined>();
    expectTypeOf(config.DEFAULT.auth_strategy).toEqualTypeOf<'static'>();
    expectTypeOf(config.DEFAULT.taskmanager_rpc_encr_key).toEqualTypeOf<readonly Secret[]>();
    expectTypeOf(config.database.connection).toEqualTypeOf<Secret | undefined>();
    expectTypeOf(config.compute_local.image).toEqualTypeOf<Readonly<Record<string, string>>>();
  });

  test('a later file wins, and the environment wins over files', () => {
    const config = load(['report_interval = 1\ncontrol_exchange = a\n', '[DEFAULT]\nreport_interval: 2\n'], {
      TROVE_CONTROL_EXCHANGE: 'b',
      TROVE_DATABASE__CONNECTION: 'sqlite:///x',
    });
    expect(config.DEFAULT.report_interval).toBe(2);
    expect(config.DEFAULT.control_exchange).toBe('b');
    expect(config.database.connection?.reveal()).toBe('sqlite:///x');
  });

  test('the last of a repeated option wins', () => {
    expect(load(['report_interval = 1\nreport_interval = 7\n']).DEFAULT.report_interval).toBe(7);
  });

  test('secrets come as Secret, a ring as one each', () => {
    const config = load(['taskmanager_rpc_encr_key = first-ring, second-ring\n']);
    expect(config.DEFAULT.taskmanager_rpc_encr_key.map((item) => item.reveal())).toEqual(['first-ring', 'second-ring']);
    expect(JSON.stringify(config)).not.toContain('-ring');
  });

  test('references are replaced from the own section, then from DEFAULT, then from defaults', () => {
    const text =
      'networks = $control_exchange-a, ${report_interval}\n[database]\nconnection = mysql://$control_exchange:x$$1@h/db\n';
    const config = load([text]);
    expect(config.DEFAULT.networks).toEqual(['trove-a', '30']);
    expect(config.database.connection?.reveal()).toBe('mysql://trove:x$1@h/db');
  });

  test('options with a name of their own choice come as a record', () => {
    const config = load(['[compute_local]\nimage.6f0c6fd8-0c1c-5a53-9a4c-111111111111 = /opt/mysql\n']);
    expect(config.compute_local.image).toEqual({ '6f0c6fd8-0c1c-5a53-9a4c-111111111111': '/opt/mysql' });
    const fromEnvironment = load([], { TROVE_COMPUTE_LOCAL__IMAGE: 'a=/opt/a, b=/opt/b=c' });
    expect(fromEnvironment.compute_local.image).toEqual({ a: '/opt/a', b: '/opt/b=c' });
  });
});

describe('faults', () => {
  test.each([
    ['report_interval = soon', /0\.conf:1: \[DEFAULT\] report_interval: a whole number is expected/],
    ['report_interval = 0', /at least 1/],
    ['enable_secure_rpc_messaging = maybe', /true or false/],
    ['auth_strategy = none', /one of static is expected/],
    ['auth_strategy = keystone', /0\.conf:1: \[DEFAULT\] auth_strategy: "keystone" is not part of this release/],
    ['\n\nreport_intervall = 3', /0\.conf:3: \[DEFAULT\] report_intervall: .*did you mean report_interval\?/],
    ['[databse]\nconnection = x', /\[databse\] connection: there is no such section; did you mean \[database\]\?/],
    ['networks = $nowhere', /\$nowhere names no option/],
    ['networks = $networks', /lead back to itself/],
    ['  indented = 1', /0\.conf:1: an indented line/],
    ['[DEFAULT\nreport_interval = 1', /a section begins/],
    ['just words', /name = value/],
  ])('%j is refused with its place and the nearest name', (text, message) => {
    expect(() => load([text])).toThrowError(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(message) }),
    );
  });

  test('a file that is not there is refused by name', () => {
    const file = join(folder, 'missing.conf');
    expect(() => loadConfig({ files: [file], env: {}, options, service: 'trove-test' })).toThrow(
      /missing\.conf: cannot be read/,
    );
  });

  test('a bad variable is refused by its name', () => {
    expect(() => load([], { TROVE_REPORT_INTERVAL: 'x' })).toThrow(
      /TROVE_REPORT_INTERVAL: \[DEFAULT\] report_interval/,
    );
    expect(() => load([], { TROVE_COMPUTE_LOCAL__IMAGE: '/opt/a' })).toThrow(
      /TROVE_COMPUTE_LOCAL__IMAGE: \[compute_local\] image: name=value is expected/,
    );
  });
});

describe('files that came from Trove', () => {
  test('options of Trove and oslo that are not used here are told once', () => {
    const seen: string[][] = [];
    const text =
      '[oslo_messaging_rabbit]\nrabbit_quorum_queue = true\n[keystone_authtoken]\nauth_url = http://x\nauth_url = http://y\n';
    load([text], {}, (names) => seen.push(names));
    expect(seen).toEqual([['[oslo_messaging_rabbit] rabbit_quorum_queue', '[keystone_authtoken] auth_url']]);
  });

  test.each([
    ['DEFAULT', 'default_neutron_networks'],
    ['DEFAULT', 'hostname_require_ipv4'],
    ['DEFAULT', 'running_backups_expires'],
    ['DEFAULT', 'state_healthy_counts'],
    ['DEFAULT', 'volume_rootdisk_support'],
    ['DEFAULT', 'logdir'],
    ['network', 'network_isolation'],
    ['keystone_authtoken', 'auth_plugin'],
    ['mysql', 'backup_incremental_strategy'],
  ])('older and newer releases read it, so it is no error: [%s] %s', (section, name) => {
    const seen: string[][] = [];
    load([`[${section}]\n${name} = x\n`], {}, (names) => seen.push(names));
    expect(seen).toEqual([[`[${section}] ${name}`]]);
  });

  test('an option of another service of ours is taken without a word', () => {
    const seen: string[][] = [];
    load(['max_instances_per_tenant = 5\n[compute_local]\nroot = /x\n'], {}, (names) => seen.push(names));
    expect(seen).toEqual([]);
  });
});
