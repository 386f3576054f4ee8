import { type Catalog, recordHosts } from '@trove/catalog';
import type { ComputeDriver } from '@trove/compute';

/** Writes what runs servers, and how full it is: the api shows it, and asks no driver. */
export async function observeHosts({ catalog, compute }: { catalog: Catalog; compute: ComputeDriver }): Promise<void> {
  const hosts = await compute.hosts();
  await recordHosts(
    catalog.knex,
    hosts.map(({ name, servers, totalRam = null, usedRam = null }) => ({ name, servers, totalRam, usedRam })),
  );
}
