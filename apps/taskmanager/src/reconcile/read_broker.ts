import type { BrokerReading } from '@trove/catalog';
import { parseTransportUrl, type Secret } from '@trove/common';
import { createManagement } from '../broker/management.ts';
import { type BrokerAccountsSettings, managementFetch } from '../broker/open_broker_accounts.ts';
import { readMarks } from '../broker/read_marks.ts';

/**
 * Accounts and queues of the vhost of sealed messages, for the checks; nothing is changed. Rejects with `CONFIG_INVALID`, and
 * as the broker's management API does.
 */
export async function readBroker(
  settings: Pick<BrokerAccountsSettings, 'broker_management_ca'> & { readonly broker_management_url: Secret },
  sealedTransportUrl: Secret,
): Promise<BrokerReading> {
  const { vhost: vhostName } = parseTransportUrl(sealedTransportUrl, 'sealed_transport_url');
  const vhost = encodeURIComponent(vhostName);
  const { fetch, close } = await managementFetch(settings.broker_management_url, settings);
  try {
    const api = createManagement(settings.broker_management_url, fetch);
    const permissions = await api.get<{ user: string }[]>(`vhosts/${vhost}/permissions`);
    const columns = 'columns=name,messages,consumers';
    const queues = await api.get<{ name: string; messages?: number; consumers?: number }[]>(
      `queues/${vhost}?${columns}`,
    );
    return {
      accounts: (permissions ?? []).map(({ user }) => user),
      marks: await readMarks(api, vhostName),
      // A queue that was made this moment has no figures yet.
      queues: (queues ?? []).map(({ name, messages = 0, consumers = 0 }) => ({ name, messages, consumers })),
    };
  } finally {
    await close();
  }
}
