import { findDocker, startMariadbContainer, startRabbitmqContainer } from './docker.ts';
import { canInstallPackages, installPackages } from './install_packages.ts';
import { findMariadb, startMariadb } from './mariadb.ts';
import { findRabbitmq, startRabbitmq } from './rabbitmq.ts';
import type { RunningServer } from './running_server.ts';
import { testBroker } from './test_broker.ts';
import { testDatabase } from './test_database.ts';

export interface ServerUrls {
  TROVE_TEST_AMQP_URL: string;
  TROVE_TEST_MYSQL_URL: string;
}

export interface ProvidedServers {
  urls: ServerUrls;
  /** One line each, for people. */
  descriptions: string[];
  running(): boolean;
  /** Ends what was started here; a server that was given stays. */
  stop(): Promise<void>;
}

const ATTEMPTS = 3;

/**
 * A RabbitMQ and a MariaDB for tests: those that `TROVE_TEST_AMQP_URL` and `TROVE_TEST_MYSQL_URL` name; else private ones
 * from this machine's binaries; else containers, where a Docker engine answers; else, as root on Debian or Ubuntu, after
 * installing the packages. Throws an error that says what to install where none of it is possible.
 */
export async function provideServers(
  env: NodeJS.ProcessEnv = process.env,
  say: (line: string) => void = () => undefined,
): Promise<ProvidedServers> {
  await installWhatIsMissing(env, say);
  const started: RunningServer[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(started.map((server) => server.stop()));
  };
  const results = await Promise.allSettled([
    keep(started, given(env['TROVE_TEST_AMQP_URL'], 'RabbitMQ') ?? startBroker()),
    keep(started, given(env['TROVE_TEST_MYSQL_URL'], 'MariaDB') ?? startDatabase()),
  ]);
  const [broker, database] = results;
  if (broker.status === 'rejected' || database.status === 'rejected') {
    await stop();
    throw broker.status === 'rejected' ? broker.reason : (database as PromiseRejectedResult).reason;
  }
  return {
    urls: { TROVE_TEST_AMQP_URL: broker.value.url, TROVE_TEST_MYSQL_URL: database.value.url },
    descriptions: started.map((server) => server.description),
    running: () => started.every((server) => server.running()),
    stop,
  };
}

async function keep(started: RunningServer[], starting: Promise<RunningServer>): Promise<RunningServer> {
  const server = await starting;
  started.push(server);
  return server;
}

function given(url: string | undefined, name: string): Promise<RunningServer> | undefined {
  if (url === undefined || url === '') return undefined;
  return Promise.resolve({ url, description: `${name} as given`, running: () => true, stop: () => Promise.resolve() });
}

async function startBroker(): Promise<RunningServer> {
  const binaries = findRabbitmq();
  if (binaries) return attempt(() => startRabbitmq(binaries));
  const docker = await findDocker();
  if (docker) return startRabbitmqContainer(docker, brokerWorks);
  throw missing('rabbitmq-server');
}

async function startDatabase(): Promise<RunningServer> {
  const binaries = findMariadb();
  if (binaries) return attempt(() => startMariadb(binaries));
  const docker = await findDocker();
  if (docker) return startMariadbContainer(docker, databaseWorks);
  throw missing('mariadb-server');
}

/** A free port may be taken by someone else before the server has it: then once more with others. */
async function attempt(start: () => Promise<RunningServer>): Promise<RunningServer> {
  for (let i = 1; ; i += 1) {
    try {
      return await start();
    } catch (error) {
      if (i >= ATTEMPTS) throw error;
    }
  }
}

async function brokerWorks(url: string): Promise<void> {
  const broker = await testBroker({ TROVE_TEST_AMQP_URL: url });
  await broker.dispose();
}

async function databaseWorks(url: string): Promise<void> {
  const database = await testDatabase({ TROVE_TEST_MYSQL_URL: url });
  await database.dispose();
}

async function installWhatIsMissing(env: NodeJS.ProcessEnv, say: (line: string) => void): Promise<void> {
  const packages: string[] = [];
  if (!env['TROVE_TEST_AMQP_URL'] && !findRabbitmq()) packages.push('rabbitmq-server');
  if (!env['TROVE_TEST_MYSQL_URL'] && !findMariadb()) packages.push('mariadb-server');
  if (packages.length === 0 || (await findDocker()) || !canInstallPackages()) return;
  say(`installing ${packages.join(', ')} with apt-get`);
  await installPackages(packages);
}

function missing(name: string): Error {
  const variable = name === 'rabbitmq-server' ? 'TROVE_TEST_AMQP_URL' : 'TROVE_TEST_MYSQL_URL';
  return new Error(
    `The tests need ${name}, and it is not here. Do one of these: "apt-get install ${name}" (Debian, Ubuntu; no service need run), ` +
      `"brew install ${name.replace('-server', '')}" (macOS), start a Docker engine, or set ${variable} to a server of your own.`,
  );
}
