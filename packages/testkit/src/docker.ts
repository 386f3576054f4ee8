import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { findBinary } from './find_binary.ts';
import type { RunningServer } from './running_server.ts';
import { run } from './server_process.ts';

const READY_MS = 120_000;

/** The docker command, where an engine answers it. */
export async function findDocker(): Promise<string | undefined> {
  const docker = findBinary('docker');
  if (!docker) return undefined;
  try {
    await run(docker, ['version', '--format', '{{.Server.Version}}']);
    return docker;
  } catch {
    return undefined;
  }
}

export async function startRabbitmqContainer(
  docker: string,
  ready: (url: string) => Promise<void>,
): Promise<RunningServer> {
  const password = randomBytes(12).toString('hex');
  const image = 'rabbitmq:4-management';
  const environment = { RABBITMQ_DEFAULT_USER: 'trove', RABBITMQ_DEFAULT_PASS: password };
  const container = await startContainer(docker, image, environment, [5672, 15672]);
  const [amqp, management] = container.ports;
  const url = `amqp://trove:${password}@127.0.0.1:${amqp}/?management_port=${management}`;
  return whenReady(container, { url, description: `RabbitMQ in a container of ${image}` }, ready);
}

export async function startMariadbContainer(
  docker: string,
  ready: (url: string) => Promise<void>,
): Promise<RunningServer> {
  const password = randomBytes(12).toString('hex');
  const image = 'mariadb:11.4';
  const container = await startContainer(docker, image, { MARIADB_ROOT_PASSWORD: password }, [3306]);
  const url = `mysql://root:${password}@127.0.0.1:${container.ports[0]}`;
  return whenReady(container, { url, description: `MariaDB in a container of ${image}` }, ready);
}

interface Container {
  ports: number[];
  stop(): Promise<void>;
}

async function startContainer(
  docker: string,
  image: string,
  environment: Record<string, string>,
  innerPorts: number[],
): Promise<Container> {
  const published = innerPorts.flatMap((port) => ['--publish', `127.0.0.1::${port}`]);
  const variables = Object.keys(environment).flatMap((name) => ['--env', name]);
  const env = { ...process.env, ...environment };
  const output = await run(docker, ['run', '--detach', '--rm', '--quiet', ...published, ...variables, image], { env });
  const id = output.trim().split('\n').at(-1) ?? '';
  const stop = async (): Promise<void> => {
    await run(docker, ['rm', '--force', '--volumes', id]);
  };
  try {
    const ports: number[] = [];
    for (const port of innerPorts)
      ports.push(Number((await run(docker, ['port', id, `${port}/tcp`])).trim().split(':').at(-1)));
    return { ports, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function whenReady(
  container: Container,
  server: { url: string; description: string },
  ready: (url: string) => Promise<void>,
): Promise<RunningServer> {
  const end = performance.now() + READY_MS;
  for (;;) {
    try {
      await ready(server.url);
      return { ...server, running: () => true, stop: container.stop };
    } catch (error) {
      if (performance.now() > end) {
        await container.stop();
        throw new Error(`${server.description} was not ready after ${READY_MS} ms`, { cause: error });
      }
    }
    await delay(500);
  }
}
