import { accountState, accountsToCheck, type Catalog, type CountedAccount } from '@trove/catalog';
import type { Logger, Secret } from '@trove/common';
import type { ComputeDriver } from '@trove/compute';
import type { BrokerAccounts } from '../broker/broker_accounts.ts';
import { accountInFiles } from '../tasks/shared/guest_accounts.ts';
import { forEachOf } from './round.ts';

const AT_ONCE = 4;

export interface CheckAccountsDeps {
  readonly catalog: Catalog;
  readonly compute: Pick<ComputeDriver, 'injectedFiles'>;
  readonly accounts: BrokerAccounts;
  readonly logger: Logger;
}

/**
 * Each turn reads back the accounts of the next `perTurn` instances and makes right what differs. A lost account comes back
 * with the password that stands in its server's file; not while a task works on the instance, which may be giving it another.
 */
export function createAccountCheck(deps: CheckAccountsDeps, perTurn: number): (signal: AbortSignal) => Promise<void> {
  let after = '';
  return async () => {
    const page = await accountsToCheck(deps.catalog.knex, { after, limit: perTurn });
    after = page.length < perTurn ? '' : (page.at(-1)?.instanceId ?? '');
    await forEachOf(page, AT_ONCE, (counted) => check(deps, counted));
  };
}

const PAGE = 200;

/** All accounts at once, before anything runs: for a broker in memory, which starts without any. */
export async function restoreAccounts(deps: CheckAccountsDeps): Promise<void> {
  for (let after = ''; ; ) {
    const page = await accountsToCheck(deps.catalog.knex, { after, limit: PAGE });
    await forEachOf(page, AT_ONCE, async (counted) => {
      await deps.accounts.repair(counted.instanceId, () => passwordOf(deps.compute, counted));
    });
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    after = last.instanceId;
  }
}

async function check(
  { catalog, compute, accounts, logger }: CheckAccountsDeps,
  counted: CountedAccount,
): Promise<void> {
  const { instanceId, atWork } = counted;
  try {
    const repaired = atWork
      ? await accounts.repairWalls(instanceId)
      : await accounts.repair(instanceId, () => passwordOf(compute, counted));
    if (repaired.length === 0) return;
    logger.warn("a guest's broker account was not as it should be", { instance_id: instanceId, repaired });
    // A delete may have cut it off meanwhile; it gives the account up in the catalog before it does.
    if ((await accountState(catalog.knex, instanceId)) !== 'counts') await accounts.cutOff(instanceId);
  } catch (error) {
    logger.warn("a guest's broker account could not be checked", { instance_id: instanceId, error });
  }
}

async function passwordOf(
  compute: Pick<ComputeDriver, 'injectedFiles'>,
  { instanceId, serverId }: CountedAccount,
): Promise<Secret | undefined> {
  if (serverId === null) return undefined;
  return accountInFiles(await compute.injectedFiles(serverId), instanceId)?.password;
}
