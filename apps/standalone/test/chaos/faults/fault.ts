import { setTimeout as delay } from 'node:timers/promises';
import type { BreakableServer, Random } from '@trove/testkit';
import type { BrokerHands } from '../broker_hands.ts';
import type { Ground, Proxies } from '../ground.ts';
import type { Load } from '../load.ts';

export interface Hands {
  readonly ground: Ground;
  readonly broker: BrokerHands;
  readonly random: Random;
  readonly load: Load;
}

/** Breaks something, and mends it before it resolves. */
export interface Fault {
  readonly name: string;
  /** Seconds that it takes at most, on a machine that keeps up. */
  readonly seconds: number;
  /** What it leaves is made right bit by bit, over more than a lease. */
  readonly lasting?: true;
  /** Takes a server away, which has to be the run's own. */
  readonly ownServers?: true;
  apply(hands: Hands): Promise<void>;
}

export const SECOND = 1000;
/** A task's lease is 30 s. */
export const PAST_A_LEASE_S = 34;
export const HOUR_MS = 3_600_000;

export type Proxy = Proxies['management'];

export async function whileBroken(
  proxies: readonly Proxy[],
  seconds: number,
  breakIt: (proxy: Proxy) => void,
): Promise<void> {
  for (const proxy of proxies) breakIt(proxy);
  await delay(seconds * SECOND);
  for (const proxy of proxies) proxy.resume();
}

export async function killAndStart(server: BreakableServer | undefined, seconds: number): Promise<void> {
  await server?.kill();
  await delay(seconds * SECOND);
  await server?.start();
}
