import { randomBytes } from 'node:crypto';
import {
  accountState,
  countAccount,
  forgetAccount,
  intendAccount,
  openTaskSecret,
  sealTaskSecret,
} from '@trove/catalog';
import { accountOfUrl, Secret, type TransportAccount } from '@trove/common';
import type { InjectedFiles } from '@trove/compute';
import { guestAccount } from '@trove/crypto-rpc';
import type { Step, StepContext } from '@trove/tasks';
import { filesWithKey, transportUrlIn } from './guest_files.ts';
import { optionalText } from './outputs.ts';
import { CATALOG_TIMEOUT_MS, RETRY, type TaskTools } from './tools.ts';

const MAKE_PASSWORD = 'make_password';
const PASSWORD_BYTES = 32;

/**
 * Chooses the broker password of the server that is being made, once: whoever tries the later steps again sets the same. It
 * rests sealed and is erased when the task ends. Null where accounts are not made, or nothing can rest sealed.
 */
export function makePassword(tools: TaskTools, isKeyed: (context: StepContext) => boolean): Step {
  return {
    name: MAKE_PASSWORD,
    timeoutMs: CATALOG_TIMEOUT_MS,
    retry: RETRY,
    async run(context) {
      const { accounts, controlRing } = tools;
      if (accounts === undefined || controlRing.length === 0 || !isKeyed(context)) return { done: { password: null } };
      const text = randomBytes(PASSWORD_BYTES).toString('base64url');
      return { done: { password: sealTaskSecret(controlRing, context.task.id, text) } };
    },
  };
}

/** The account that the new server gets; undefined where it shares one with all others. */
export function newAccount({ controlRing }: TaskTools, context: StepContext): TransportAccount | undefined {
  const { id, instanceId } = context.task;
  const sealed = optionalText(context.outputs[MAKE_PASSWORD], 'password');
  if (sealed === undefined) return undefined;
  return { user: guestAccount(instanceId), password: new Secret(openTaskSecret(controlRing, id, sealed)) };
}

/** The account in the files of a server, where it is the guest's own. */
export function accountInFiles(files: InjectedFiles, instanceId: string): TransportAccount | undefined {
  const url = transportUrlIn(files);
  const account = url && accountOfUrl(url);
  return account?.user === guestAccount(instanceId) ? account : undefined;
}

/**
 * A sealed server's files without what the catalog has anyway: its keys, and the password of an account of its own. For a
 * journal, which rests under a key that the api has too.
 */
export function filesWithoutSecrets(files: InjectedFiles, instanceId: string): InjectedFiles {
  const account = accountInFiles(files, instanceId);
  return filesWithKey(files, undefined, account && { ...account, password: new Secret('-') });
}

/** Makes the guest's account and queue; from then on its messages must come from there. */
export async function openAccount(tools: TaskTools, context: StepContext, account: TransportAccount): Promise<void> {
  const { instanceId, id: taskId } = context.task;
  await context.fenced((tx) => intendAccount(tx, { instanceId, taskId, account: account.user }));
  await tools.accounts?.make(instanceId, account.password);
  await context.fenced((tx) => countAccount(tx, instanceId));
  tools.keys.forget(instanceId);
}

/**
 * In place of whatever account the stopped server had: its connections end, its password is worth nothing. Undefined: the
 * guest has none of its own any more.
 */
export async function replaceAccount(
  tools: TaskTools,
  context: StepContext,
  account: TransportAccount | undefined,
): Promise<void> {
  const { instanceId } = context.task;
  if (account === undefined) return closeAccount(tools, context);
  await tools.accounts?.cutOff(instanceId);
  await openAccount(tools, context, account);
}

/**
 * Ends the guest's account. The catalog goes first, so that no round of another taskmanager makes it again. One of which it
 * does not know goes too: a restored catalog has forgotten what was made since the backup.
 */
export async function closeAccount({ catalog, accounts, keys }: TaskTools, context: StepContext): Promise<void> {
  const { instanceId } = context.task;
  const state = await accountState(catalog.knex, instanceId);
  if (state !== 'none') {
    await context.fenced((tx) => forgetAccount(tx, instanceId));
    keys.forget(instanceId);
  }
  if (accounts !== undefined) await accounts.cutOff(instanceId);
  else if (state === 'counts' || state === 'intended')
    context.logger.warn("a guest's broker account is left: broker_management_url is not set", {
      instance_id: instanceId,
    });
}
