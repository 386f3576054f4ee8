import {
  accountState,
  accountsToCheck,
  type Catalog,
  type CountedAccount,
  type KeyRings,
  leftOverAccounts,
  owedPasswords,
} from '@trove/catalog';
import { isTroveError, type Logger, randomFraction } from '@trove/common';
import type { ComputeDriver } from '@trove/compute';
import type { BrokerAccounts } from '../broker/broker_accounts.ts';
import { createGuestKeys } from '../guests/guest_keys.ts';
import { fileRotation, ROTATION } from '../tasks/rotate_key/file_rotation.ts';
import { type PasswordKeys, passwordOf } from './guest_password.ts';
import { forEachOf } from './round.ts';

const AT_ONCE = 4;
const PAGE = 200;
const OWED_PAUSE_MS = 600_000;
/** In one turn: after an upgrade of this software all accounts are without a mark. */
const MARKS_AT_MOST = 200;

export interface CheckAccountsDeps {
  readonly catalog: Catalog;
  readonly compute: Pick<ComputeDriver, 'injectedFiles'>;
  readonly keys: PasswordKeys;
  readonly accounts: BrokerAccounts;
  readonly logger: Logger;
}

export interface RestoreAccountsDeps extends Omit<CheckAccountsDeps, 'keys' | 'logger'> {
  readonly rings: KeyRings;
}

/**
 * Each turn looks at the accounts of all instances and makes right what differs: a lost account comes back with the password
 * that its guest has; not while a task works on the instance, which may be giving it another. What is there of
 * deleted instances goes. A password that a change of the key could not give the broker is given to it by a task: only who has the
 * instance's slot may change it.
 */
export function createAccountCheck(deps: CheckAccountsDeps, pageSize = PAGE): (signal: AbortSignal) => Promise<void> {
  const { catalog, accounts } = deps;
  return async (signal) => {
    const survey = await accounts.survey(signal);
    const isOld = ({ instanceId }: CountedAccount): boolean => survey.isUnmarked(instanceId);
    await changeOwed(deps, pageSize);
    const known = new Set<string>();
    const unmarked: string[] = [];
    for (let after: string | undefined = ''; after !== undefined && !signal.aborted; ) {
      const page = await accountsToCheck(catalog.knex, { after, limit: pageSize });
      for (const { instanceId } of page) known.add(instanceId);
      const differing = page.filter(({ instanceId }) => !survey.isRight(instanceId));
      const [old, wrong] = [differing.filter(isOld), differing.filter((counted) => !isOld(counted))];
      unmarked.push(...old.map(({ instanceId }) => instanceId));
      await forEachOf(wrong, AT_ONCE, (counted) => check(deps, counted));
      after = page.length < pageSize ? undefined : page.at(-1)?.instanceId;
    }
    await markOld(deps, unmarked);
    const others = survey.instanceIds.filter((id) => !known.has(id));
    for (let at = 0; at < others.length && !signal.aborted; at += pageSize) {
      const leftOver = await leftOverAccounts(catalog.knex, others.slice(at, at + pageSize));
      await forEachOf(leftOver, AT_ONCE, (id) => removeLeftOver(deps, id));
    }
  };
}

/** What an earlier release made says from now on whose it is; what is gone meanwhile stays so. */
async function markOld({ accounts, logger }: CheckAccountsDeps, instanceIds: readonly string[]): Promise<void> {
  if (instanceIds.length === 0) return;
  // Not the same ones each time: some may not let themselves be marked.
  const from = Math.floor(randomFraction() * Math.max(1, instanceIds.length - MARKS_AT_MOST + 1));
  const now = instanceIds.slice(from, from + MARKS_AT_MOST);
  let marked = 0;
  await forEachOf(now, AT_ONCE, async (instanceId) => {
    try {
      await accounts.mark(instanceId);
      marked += 1;
    } catch (error) {
      logger.warn("a guest's broker account could not be marked", { instance_id: instanceId, error });
    }
  });
  if (marked === 0) return;
  const left = instanceIds.length - marked;
  logger.info("guests' broker accounts of an earlier release carry the deployment now", { marked, left });
}

/** All accounts at once, before anything runs: for a broker in memory, which starts without any. */
export async function restoreAccounts({ rings, ...rest }: RestoreAccountsDeps): Promise<void> {
  const keys = createGuestKeys({ catalog: rest.catalog, rings, keyStore: { forget: () => undefined } });
  const deps = { ...rest, keys };
  for (let after = ''; ; ) {
    const page = await accountsToCheck(deps.catalog.knex, { after, limit: PAGE });
    await forEachOf(page, AT_ONCE, async (counted) => {
      await deps.accounts.repair(counted.instanceId, () => passwordOf(deps, counted));
    });
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    after = last.instanceId;
  }
}

/** Now that the broker's administration answers. */
async function changeOwed({ catalog, logger }: CheckAccountsDeps, limit: number): Promise<void> {
  const query = { kind: ROTATION.kind, pauseMs: OWED_PAUSE_MS, limit };
  for (const instanceId of await owedPasswords(catalog.knex, query)) {
    try {
      await fileRotation(catalog, instanceId, 'password');
      logger.info("a guest's broker password is changed, which could not be when its key was", {
        instance_id: instanceId,
      });
    } catch (error) {
      if (!isTroveError(error, 'UNPROCESSABLE') && !isTroveError(error, 'NOT_FOUND')) throw error;
    }
  }
}

/** A worker that was thought dead has made it after the delete: the broker asks for no fence. */
async function removeLeftOver({ accounts, logger }: CheckAccountsDeps, instanceId: string): Promise<void> {
  try {
    await accounts.remove(instanceId);
    logger.warn('a deleted instance had a broker account or a queue again; both are removed', {
      instance_id: instanceId,
    });
  } catch (error) {
    logger.warn("a deleted instance's broker account could not be removed", { instance_id: instanceId, error });
  }
}

async function check(deps: CheckAccountsDeps, counted: CountedAccount): Promise<void> {
  const { catalog, accounts, logger } = deps;
  const { instanceId, atWork } = counted;
  try {
    const repaired = atWork
      ? await accounts.repairWalls(instanceId)
      : await accounts.repair(instanceId, () => passwordOf(deps, counted));
    if (repaired.length === 0) return;
    logger.warn("a guest's broker account was not as it should be", { instance_id: instanceId, repaired });
    // A delete may have cut it off meanwhile; it gives the account up in the catalog before it does.
    if ((await accountState(catalog.knex, instanceId)) !== 'counts') await accounts.cutOff(instanceId);
  } catch (error) {
    logger.warn("a guest's broker account could not be checked", { instance_id: instanceId, error });
  }
}
