import { type Catalog, serversToObserve, writeObservedStatus } from '@trove/catalog';
import type { Logger } from '@trove/common';
import type { ComputeDriver, Server } from '@trove/compute';
import { forEachOf } from './round.ts';

const PAGE = 200;
const AT_ONCE = 8;

/** Writes what the driver says of each server that no task works on: NULL where it does not know it. Resolves to whether one had changed. */
export async function observeServers(
  deps: { catalog: Catalog; compute: ComputeDriver; logger: Logger },
  signal: AbortSignal,
): Promise<boolean> {
  const { knex } = deps.catalog;
  let changed = false;
  // One host that does not answer says nothing of its servers, and must not keep us from the others'.
  const askFor = async (serverId: string): Promise<Server | undefined | 'unknown'> => {
    try {
      return await deps.compute.getServer(serverId);
    } catch (error) {
      deps.logger.warn('a server could not be observed', { server_id: serverId, error });
      return 'unknown';
    }
  };
  for (let after = ''; !signal.aborted; ) {
    const page = await serversToObserve(knex, after, PAGE);
    await forEachOf(page, AT_ONCE, async (observed) => {
      const server = await askFor(observed.serverId);
      if (server === 'unknown') return;
      const serverStatus = server?.status ?? null;
      const serverHost = server?.host ?? null;
      if (serverStatus === observed.serverStatus && serverHost === observed.serverHost) return;
      await writeObservedStatus(knex, { ...observed, serverStatus, serverHost });
      changed = changed || serverStatus !== observed.serverStatus;
    });
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) break;
    after = last.instanceId;
  }
  return changed;
}
