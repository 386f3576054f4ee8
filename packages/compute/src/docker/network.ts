import { TroveError } from '@trove/common';
import type { NetworkInspectInfo } from 'dockerode';
import { type Engine, httpStatus, waitForOthers } from './engine.ts';
import { short } from './ids.ts';
import {
  addressNumber,
  contains,
  engineRange,
  formatAddress,
  formatSubnet,
  parseSubnet,
  type Subnet,
} from './subnet.ts';

/** The network that a host's instances are on. */
export interface InstanceNetwork {
  readonly name: string;
  readonly subnet: Subnet;
  /** What the engine gives out by itself. */
  readonly range: Subnet | undefined;
  /** In use now by whatever is on it and runs, and by the host itself. */
  readonly used: readonly number[];
}

/**
 * The engine's network of that name, made where there is none. One that somebody else has made is taken as it is, if it
 * has a range of IPv4; else `COMPUTE_ERROR` says so.
 */
export async function ensureNetwork(engine: Engine, name: string, signal: AbortSignal): Promise<InstanceNetwork> {
  const found = (await findNetwork(engine, name, signal)) ?? (await makeNetwork(engine, name, signal));
  const config = found.IPAM?.Config?.find(({ Subnet }) => parseSubnet(Subnet ?? '') !== undefined);
  const subnet = parseSubnet(config?.['Subnet'] ?? '');
  if (subnet === undefined) {
    const cause = new Error(`network ${name} of host ${engine.host.name} has no range of IPv4 addresses`);
    throw new TroveError('COMPUTE_ERROR', 'The network of the instances cannot be used.', { cause });
  }
  const others = Object.values(found.Containers ?? {}).map(({ IPv4Address }) => IPv4Address.split('/')[0] ?? '');
  const used = [config?.['Gateway'] ?? formatAddress(subnet.base + 1), ...others].map(addressNumber);
  return {
    name,
    subnet,
    range: parseSubnet(config?.['IPRange'] ?? ''),
    used: used.filter((address) => address !== undefined),
  };
}

/** Addresses that an instance may have, beginning where this server's id says, so that two rarely want the same. */
export function* freeAddresses(
  network: InstanceNetwork,
  serverId: string,
  taken: ReadonlySet<string>,
): Generator<string> {
  const { subnet, range, used } = network;
  const hosts = subnet.size - 2;
  const start = Number.parseInt(short(serverId), 16) % hosts;
  for (let step = 0; step < hosts; step += 1) {
    const address = subnet.base + 1 + ((start + step) % hosts);
    if ((range !== undefined && contains(range, address)) || used.includes(address)) continue;
    const text = formatAddress(address);
    if (!taken.has(text)) yield text;
  }
}

/** The oldest of that name: engines let two be made at once, and the second has no addresses to itself. */
async function findNetwork(engine: Engine, name: string, signal: AbortSignal): Promise<NetworkInspectInfo | undefined> {
  const filters = { name: [name] };
  const listed = await engine.call((docker, abortSignal) => docker.listNetworks({ filters, abortSignal }), { signal });
  const [oldest] = listed
    .filter((network) => network.Name === name)
    .toSorted((a, b) => Date.parse(a.Created) - Date.parse(b.Created));
  if (oldest === undefined) return undefined;
  return engine.find((docker) => docker.getNetwork(oldest.Id).inspect(), { signal });
}

async function makeNetwork(engine: Engine, name: string, signal: AbortSignal): Promise<NetworkInspectInfo> {
  const { subnet } = engine.host;
  const range = {
    Subnet: formatSubnet(subnet),
    IPRange: formatSubnet(engineRange(subnet)),
    Gateway: formatAddress(subnet.base + 1),
  };
  try {
    await engine.call(
      (docker, abortSignal) =>
        docker.createNetwork({
          Name: name,
          Driver: 'bridge',
          CheckDuplicate: true,
          Labels: { 'trove.kind': 'network' },
          IPAM: { Driver: 'default', Config: [range] },
          abortSignal,
        }),
      { signal },
    );
  } catch (error) {
    if (httpStatus(error) === undefined) throw error;
    const found = await waitForOthers(() => findNetwork(engine, name, signal), signal);
    if (found !== undefined) return found;
    const what = `network ${name} of host ${engine.host.name} cannot be made with subnet ${formatSubnet(engine.host.subnet)}`;
    const cause = new Error(what, { cause: error });
    throw new TroveError('COMPUTE_ERROR', 'The network of the instances cannot be made.', { cause, retryable: true });
  }
  const made = await findNetwork(engine, name, signal);
  if (made !== undefined) return made;
  throw new TroveError('COMPUTE_ERROR', 'The network of the instances is gone again.', { retryable: true });
}
