import type { OutsideThing } from '@trove/catalog';
import type { ComputeDriver } from '@trove/compute';
import type { BrokerAccounts } from '../broker/broker_accounts.ts';

export interface RemoveDeps {
  readonly compute: Pick<ComputeDriver, 'deleteServer' | 'deleteVolume' | 'deleteSnapshot'>;
  readonly accounts?: Pick<BrokerAccounts, 'remove'> | undefined;
}

/** Not there is success. With an account goes its queue, so only that of an instance which is not there any more. */
export async function removeThing(
  { compute, accounts }: RemoveDeps,
  { kind, id, instanceId }: Pick<OutsideThing, 'kind' | 'id' | 'instanceId'>,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  if (kind === 'server') await compute.deleteServer(id, signal);
  else if (kind === 'volume') await compute.deleteVolume(id, signal);
  else if (kind === 'snapshot') await compute.deleteSnapshot(id, signal);
  else await accounts?.remove(instanceId);
}
