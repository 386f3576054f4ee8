import { accountState, settlePassword } from '@trove/catalog';
import { isTroveError, TroveError } from '@trove/common';
import { agreedKey, brokerPassword, keyCheckValue, newKeyPair } from '@trove/crypto-rpc';
import type { Step, StepContext, StepResult } from '@trove/tasks';
import { askGuest } from './ask_guest.ts';
import { memberOf } from './outputs.ts';
import { CATALOG_TIMEOUT_MS, PERSISTENT_RETRY, type TaskTools } from './tools.ts';
import { SOON, UNTIL_REPORTED } from './waits.ts';

const AGREE_KEY = 'agree_key';
const PROVE_KEY = 'prove_key';
const WAIT: StepResult = { wait: { ...UNTIL_REPORTED, progress: 'the guest agent has not answered yet' } };

/** The version of the key that the next one is agreed on under; null where there is nothing to agree on. */
export type Under = (context: StepContext) => Promise<number | null>;

/** The version that was injected into the server of this task; null for one without a key, or from an earlier release, which holds as it is. */
export function injectedVersion({ keys }: TaskTools, versionOf: (context: StepContext) => number | undefined): Under {
  return async (context) => {
    const version = versionOf(context);
    return version !== undefined && (await keys.isBootstrap(context.task.instanceId, version)) ? version : null;
  };
}

/**
 * Agrees with the guest on its next key and stores it, pending. Neither side's part in it rests anywhere: an answer that got
 * lost is one that nobody can use, and both begin again. What is pending stays until the guest has confirmed that it keeps
 * another in its place: it may be the guest's at any moment.
 */
export function agreeKey(tools: TaskTools, underOf: Under): Step {
  return {
    name: AGREE_KEY,
    timeoutMs: CATALOG_TIMEOUT_MS,
    retry: PERSISTENT_RETRY,
    async run(context) {
      const under = await underOf(context);
      if (under === null) return { done: { under: null } };
      const pending = await tools.keys.agreedVersion(context.task.instanceId, under);
      if (pending !== null) return { done: { under } };
      const agreed = await askGuest(tools, context, (deadlineMs) => agree(tools, context, under, deadlineMs));
      if (agreed === undefined) return context.noted === undefined ? { wait: SOON } : WAIT;
      return agreed ? { done: { under } } : { wait: SOON };
    },
    undo: async () => {},
  };
}

/**
 * A `hello` under the pending key makes it the guest's, and says so. A guest that still answers under the old one holds
 * another: it agrees again. One that answers under neither is waited for.
 */
export function proveKey(tools: TaskTools): Step {
  return {
    name: PROVE_KEY,
    timeoutMs: CATALOG_TIMEOUT_MS,
    retry: PERSISTENT_RETRY,
    async run(context) {
      const under = memberOf(context.outputs[AGREE_KEY], 'under');
      if (typeof under !== 'number') return { done: { version: null } };
      const version = await tools.keys.agreedVersion(context.task.instanceId, under);
      const answer = await askGuest(tools, context, async (deadlineMs) => {
        const first = version === null ? 'none' : await greet(tools, context, version, deadlineMs);
        if (first !== 'none') return first;
        if ((await greet(tools, context, under, deadlineMs)) === 'none') return undefined;
        await agree(tools, context, under, deadlineMs);
        return 'overtaken';
      });
      if (answer === 'stored') return { done: { version } };
      return answer === undefined && context.noted !== undefined ? WAIT : { wait: SOON };
    },
    undo: async () => {},
  };
}

/**
 * The password of the guest's own broker account changes with its key, by which both sides know it. The guest has kept the old
 * one until this one lets it in. One that shares an account keeps it. Where nobody can give the broker another now, it stays
 * owed.
 * @param versionOf the key that it follows from; default: the one that the guest has proven
 */
export function changePassword(tools: TaskTools, versionOf: Under = async (task) => provenVersion(task) ?? null): Step {
  const { accounts, catalog, keys } = tools;
  return {
    name: 'change_password',
    timeoutMs: CATALOG_TIMEOUT_MS,
    retry: PERSISTENT_RETRY,
    async run(context) {
      const { instanceId } = context.task;
      const version = await versionOf(context);
      const isOwn = (await accountState(catalog.knex, instanceId)) === 'counts';
      if (version === null || (isOwn && accounts === undefined)) return { done: { changed: false } };
      const { text } = await keys.textOf(instanceId, version);
      if (isOwn) await accounts?.make(instanceId, brokerPassword(text.reveal()));
      await context.fenced((tx) => settlePassword(tx, { instanceId, version }));
      return { done: { changed: isOwn } };
    },
  };
}

/** The version that the guest has proven to hold; undefined where nothing was agreed on. */
export function provenVersion({ outputs }: Pick<StepContext, 'outputs'>): number | undefined {
  const version = memberOf(outputs[PROVE_KEY], 'version');
  return typeof version === 'number' ? version : undefined;
}

/** False where the guest has to be asked again. Rejects with `GUEST_TIMEOUT` where it does not answer. */
async function agree(tools: TaskTools, context: StepContext, under: number, deadlineMs: number): Promise<boolean> {
  const { guests, keys } = tools;
  const { instanceId, fence } = context.task;
  const version = await keys.nextVersion(instanceId);
  const old = await keys.textOf(instanceId, under);
  const own = newKeyPair();
  let answer: { readonly public: string; readonly kcv: string };
  try {
    const args = { version, public: own.public.toString('hex') };
    const options = { deadlineMs, fence, keyVersion: under, signal: context.signal };
    answer = await guests.call(instanceId, 'rotate_key', args, options);
  } catch (error) {
    if (!isTroveError(error, 'STALE_BOOT')) throw error;
    await tools.hello.greet(instanceId, { keyVersion: under, deadlineMs });
    return false;
  }
  const guest = Buffer.from(answer.public, 'hex');
  const text = agreedKey(own, guest, { version, oldKey: old.text.reveal(), taskmanager: own.public, guest });
  if (keyCheckValue(text.reveal()) !== answer.kcv)
    throw new TroveError('GUEST_ERROR', 'The guest agent has agreed on another key.');
  await context.fenced((tx) => keys.storeAgreed(tx, { instanceId, fence, version, under, text }));
  keys.forget(instanceId);
  return true;
}

/** `overtaken`: the guest has answered, and somebody else has stored another answer meanwhile. */
async function greet(
  tools: TaskTools,
  context: StepContext,
  keyVersion: number,
  deadlineMs: number,
): Promise<'stored' | 'overtaken' | 'none'> {
  try {
    const stored = await tools.hello.greet(context.task.instanceId, { keyVersion, deadlineMs });
    return stored ? 'stored' : 'overtaken';
  } catch (error) {
    if (isTroveError(error, 'GUEST_TIMEOUT')) return 'none';
    throw error;
  }
}
