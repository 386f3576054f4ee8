import { TroveError } from '@trove/common';
import type { Flavor } from '../driver.ts';
import { short } from './ids.ts';

/** What a host has and what of it is given away: memory in MB. */
export interface HostLoad {
  readonly name: string;
  readonly zone: string;
  readonly ram: number;
  readonly vcpus: number;
  readonly usedRam: number;
  readonly servers: number;
}

export interface Wish {
  /** Undefined: any. */
  readonly zone: string | undefined;
  readonly flavor: Flavor | undefined;
  /** The same wish goes the same way where hosts are alike. */
  readonly token: string;
}

/**
 * The host with the most free memory of those in the zone that have room. Memory is never promised twice; processors are
 * shared, but a server cannot have more than there are. `COMPUTE_ERROR` says what was missing.
 */
export function chooseHost(hosts: readonly HostLoad[], wish: Wish): string {
  const inZone = hosts.filter(({ zone }) => wish.zone === undefined || zone === wish.zone);
  if (inZone.length === 0)
    throw new TroveError('COMPUTE_ERROR', `No host of availability zone ${wish.zone ?? 'any'} answers.`);
  const { ram, vcpus } = wish.flavor ?? { ram: 0, vcpus: 0 };
  const [best] = inZone
    .filter((host) => host.vcpus >= vcpus && host.ram - host.usedRam >= ram)
    .toSorted((a, b) => freeRam(b) - freeRam(a) || a.servers - b.servers || order(a, wish) - order(b, wish));
  if (best === undefined) throw new TroveError('COMPUTE_ERROR', 'No host has room for a server of this flavor.');
  return best.name;
}

function freeRam({ ram, usedRam }: HostLoad): number {
  return ram - usedRam;
}

function order(host: HostLoad, { token }: Wish): number {
  return Number.parseInt(short(`${host.name} ${token}`), 16);
}
