import { deploymentsIn, isGuestAccount } from '@trove/crypto-rpc';
import type { Management } from './management.ts';

/** The deployments whose marks guests' accounts have in this vhost, by account: one list. */
export async function readMarks(
  api: Management,
  vhost: string,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const path = `vhosts/${encodeURIComponent(vhost)}/topic-permissions`;
  const entries = await api.list<{ user: string; exchange: string }>(path, signal);
  const byUser = Map.groupBy(
    entries.filter(({ user, exchange }) => isGuestAccount(user) && deploymentsIn([exchange]).length > 0),
    ({ user }) => user,
  );
  return new Map([...byUser].map(([user, own]) => [user, deploymentsIn(own.map(({ exchange }) => exchange))]));
}
