import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { findBinary } from './find_binary.ts';
import { freePorts } from './free_ports.ts';
import { giveTo, type HostAccount, serverAccount } from './host_account.ts';
import type { OwnServer } from './running_server.ts';
import { run, startServerProcess, waitUntilReady } from './server_process.ts';
import { type ServerTls, type ServerTlsFiles, writeServerTls } from './server_tls.ts';

/** Debian's command on the PATH insists on root or the account rabbitmq, so the script behind it comes first. */
const SCRIPT_FOLDERS = ['/usr/lib/rabbitmq/bin', '/usr/lib/rabbitmq/lib/*/sbin', '/opt/homebrew/opt/rabbitmq/sbin'];
const ERLANG_FOLDERS = ['/usr/lib/erlang/bin', '/usr/lib/erlang/erts-*/bin', '/opt/homebrew/opt/erlang/lib/erlang/bin'];

export interface RabbitmqBinaries {
  server: string;
  /** The node's own command line. */
  control: string;
  epmd: string;
}

export function findRabbitmq(): RabbitmqBinaries | undefined {
  const server = findBinary('rabbitmq-server', SCRIPT_FOLDERS);
  const control = findBinary('rabbitmqctl', SCRIPT_FOLDERS);
  const epmd = findBinary('epmd', ERLANG_FOLDERS);
  return server && control && epmd ? { server, control, epmd } : undefined;
}

interface Ports {
  amqp: number;
  /** 0: none. */
  amqps: number;
  managementTls: number;
  management: number;
  distribution: number;
  epmd: number;
}

export interface RunningBroker extends OwnServer {
  /** Of AMQP and of the management API over TLS; 0 where there is no TLS. */
  tlsPort: number;
  managementTlsPort: number;
  /** Runs `rabbitmqctl` against this node; rejects with what it said where it fails. Takes seconds. */
  control(...args: readonly string[]): Promise<string>;
}

export interface BrokerOptions {
  /** Absent: in clear only. */
  readonly tls?: ServerTls;
  /** Above it the broker takes no message: `DEFAULT_MEMORY` unless given. */
  readonly memory?: string;
}

/** Above it the broker takes no message. */
export const DEFAULT_MEMORY = '1GB';
/** Free below it the broker takes no message. */
export const DEFAULT_DISK_FREE = '50MB';

/** A broker that shares nothing with any other on the machine: own folder, node name, cookie, ports and port mapper. */
export async function startRabbitmq(binaries: RabbitmqBinaries, options: BrokerOptions = {}): Promise<RunningBroker> {
  const { tls } = options;
  const account = serverAccount(['rabbitmq']);
  const folder = await mkdtemp(join(tmpdir(), 'trove-rabbitmq-'));
  const [amqp = 0, management = 0, distribution = 0, epmd = 0, ...more] = await freePorts(tls === undefined ? 4 : 6);
  const [amqps = 0, managementTls = 0] = more;
  const ports = { amqp, amqps, management, managementTls, distribution, epmd };
  const password = randomBytes(12).toString('hex');
  await writeFiles(folder, ports, password, account, options);
  const env = environment(folder, ports, binaries);
  // In the foreground and as our own: the Erlang VM would start one that outlives it.
  const mapper = startServerProcess({
    command: binaries.epmd,
    args: ['-port', String(ports.epmd), '-address', '127.0.0.1'],
    env,
    cwd: folder,
    account,
    logFile: join(folder, 'epmd.log'),
  });
  const program = {
    ...{ command: binaries.server, args: [], env, cwd: folder, account },
    logFile: join(folder, 'node.log'),
  };
  let node = startServerProcess(program);
  const ready = (): Promise<void> =>
    waitUntilReady('RabbitMQ', node, () => managementAnswers(ports.management, password), 90_000);
  const stop = async (): Promise<void> => {
    await node.stop();
    await mapper.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await ready();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: `amqp://trove:${password}@127.0.0.1:${ports.amqp}/?management_port=${ports.management}`,
    description: `RabbitMQ from ${binaries.server}`,
    running: () => node.running(),
    signal: (signal) => node.signal(signal),
    ended: () => node.ended(),
    async startAgain() {
      node = startServerProcess(program);
      await ready();
    },
    stop,
    tlsPort: amqps,
    managementTlsPort: managementTls,
    control: (...args) => run(binaries.control, args, { env, cwd: folder, account }),
  };
}

async function writeFiles(
  folder: string,
  ports: Ports,
  password: string,
  account: HostAccount,
  { tls, memory = DEFAULT_MEMORY }: BrokerOptions,
): Promise<void> {
  const tlsLines = tls === undefined ? [] : tlsSettings(ports, await writeServerTls(folder, tls, account), tls);
  const home = join(folder, 'home');
  await mkdir(home);
  await mkdir(join(folder, 'mnesia'));
  await mkdir(join(folder, 'log'));
  const cookie = join(home, '.erlang.cookie');
  await writeFile(cookie, randomBytes(18).toString('hex'), { mode: 0o600 });
  await writeFile(join(folder, 'enabled_plugins'), '[rabbitmq_management].\n');
  await writeFile(
    join(folder, 'rabbitmq.conf'),
    [
      `listeners.tcp.1 = 127.0.0.1:${ports.amqp}`,
      'management.tcp.ip = 127.0.0.1',
      `management.tcp.port = ${ports.management}`,
      'default_user = trove',
      `default_pass = ${password}`,
      'default_user_tags.administrator = true',
      'log.console = false',
      'log.file.level = warning',
      `vm_memory_high_watermark.absolute = ${memory}`,
      `disk_free_limit.absolute = ${DEFAULT_DISK_FREE}`,
      ...tlsLines,
      '',
    ].join('\n'),
  );
  const owned = ['', 'home', 'mnesia', 'log', 'home/.erlang.cookie', 'enabled_plugins', 'rabbitmq.conf'];
  await giveTo(account, ...owned.map((name) => join(folder, name)));
}

function tlsSettings(ports: Ports, files: ServerTlsFiles, tls: ServerTls): string[] {
  const options = (prefix: string): string[] => [
    `${prefix}.cacertfile = ${files.ca}`,
    `${prefix}.certfile = ${files.cert}`,
    `${prefix}.keyfile = ${files.key}`,
    `${prefix}.verify = ${tls.clientCertificates === 'required' ? 'verify_peer' : 'verify_none'}`,
    `${prefix}.fail_if_no_peer_cert = ${String(tls.clientCertificates === 'required')}`,
  ];
  return [
    `listeners.ssl.1 = 127.0.0.1:${ports.amqps}`,
    ...options('ssl_options'),
    'management.ssl.ip = 127.0.0.1',
    `management.ssl.port = ${ports.managementTls}`,
    ...options('management.ssl'),
  ];
}

function environment(folder: string, ports: Ports, binaries: RabbitmqBinaries): NodeJS.ProcessEnv {
  return {
    PATH: `${dirname(binaries.epmd)}:${process.env['PATH'] ?? ''}:/usr/bin:/bin:/usr/sbin:/sbin`,
    LANG: 'C.UTF-8',
    HOME: join(folder, 'home'),
    RABBITMQ_NODENAME: `trove${ports.amqp}@localhost`,
    RABBITMQ_USE_LONGNAME: 'false',
    RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    RABBITMQ_CONF_ENV_FILE: join(folder, 'none.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, 'none.config'),
    RABBITMQ_PID_FILE: join(folder, 'node.pid'),
    RABBITMQ_DIST_PORT: String(ports.distribution),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none',
    ERL_EPMD_PORT: String(ports.epmd),
    ERL_EPMD_ADDRESS: '127.0.0.1',
  };
}

async function managementAnswers(port: number, password: string): Promise<boolean> {
  try {
    const authorization = `Basic ${Buffer.from(`trove:${password}`).toString('base64')}`;
    const response = await fetch(`http://127.0.0.1:${port}/api/overview`, { headers: { authorization } });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}
