import type { Catalog, InstanceRow, KeyRings } from '@trove/catalog';
import { silentLogger } from '@trove/common';
import type { ComputeDriver } from '@trove/compute';
import { createGuestClient, type KeyStore, type MemoryBroker } from '@trove/crypto-rpc';
import { memoryBrokerAccounts, readDeploymentId, restoreAccounts } from '@trove/taskmanager';

/** Declaring asks nobody about keys. */
const noKeys: KeyStore = { guestPeer: async () => undefined, forget: () => undefined };

/**
 * A bus in memory has forgotten the queues and accounts that a RabbitMQ would have kept: makes each instance's own again. One that is
 * being upgraded may speak under either policy, so all get the sealed kind; a guest in clear makes its own.
 */
export async function redeclareGuests(
  catalog: Catalog,
  compute: Pick<ComputeDriver, 'injectedFiles'>,
  broker: MemoryBroker,
  { controlExchange, rings }: { readonly controlExchange: string; readonly rings: KeyRings },
): Promise<void> {
  const rows = await catalog.knex<InstanceRow>('instances').where({ deleted: 0 }).select('id');
  const bus = broker.bus();
  const guests = createGuestClient({
    sealedBus: bus,
    legacyBus: bus,
    keyStore: noKeys,
    controlExchange,
    logger: silentLogger,
  });
  for (const { id } of rows) await guests.declareGuest(id, 2);
  await guests.close();
  const accounts = memoryBrokerAccounts(broker, () => readDeploymentId(catalog));
  await restoreAccounts({ catalog, compute, accounts, rings });
  await accounts.close();
  await bus.close();
}
