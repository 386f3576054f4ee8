import { existsSync } from 'node:fs';
import { dockerHosts, type Engine, openEngines } from '@trove/compute';

/** The name that docker-compose.yml gives to its engine; servers of it are told by that name. */
export const ENGINE_NAME = 'local';
const DEFAULT_SOCKET = '/var/run/docker.sock';

/** The socket of the engine that `docker` speaks to here; undefined where that is none of this machine. */
export function engineSocket(env: NodeJS.ProcessEnv): string | undefined {
  const host = env.DOCKER_HOST ?? `unix://${DEFAULT_SOCKET}`;
  const path = /^unix:\/\/(\/.+)$/.exec(host)?.[1];
  return path !== undefined && existsSync(path) ? path : undefined;
}

export async function openLocalEngine(socket: string): Promise<Engine> {
  const hosts = dockerHosts({
    host: { [ENGINE_NAME]: `unix://${socket}` },
    zone: {},
    subnet: {},
    public_address: {},
    ports: '',
  });
  const [engine] = await openEngines(hosts, {});
  if (engine === undefined) throw new Error('no engine');
  return engine;
}

/** Whether an engine answers at this socket. */
export async function engineAnswers(socket: string): Promise<boolean> {
  const engine = await openLocalEngine(socket);
  try {
    await engine.call((docker) => docker.ping());
    return true;
  } catch {
    return false;
  }
}

const LAST = 250;

/** A range for the instances of one more stack that no network of this engine has. */
export async function freeSubnet(engine: Engine): Promise<string> {
  const networks = await engine.call((docker) => docker.listNetworks());
  const ranges = networks.flatMap(({ IPAM }) => IPAM?.Config ?? []).map(({ Subnet = '' }) => Subnet);
  for (let second = 90; second <= LAST; second += 1)
    if (!ranges.some((range) => range.startsWith(`10.${second}.`))) return `10.${second}.0.0/24`;
  throw new Error('the engine has no free network for the instances');
}
