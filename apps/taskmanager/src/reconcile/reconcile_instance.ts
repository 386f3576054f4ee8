import {
  type CatalogFacts,
  followWorld,
  type InstanceRow,
  type InstanceValues,
  leftoversOfBuilds,
  markedAccounts,
  markResource,
  type OutsideThing,
  ownershipOf,
  RECONCILE_KIND_NAMES,
  RECONCILE_KINDS,
  type ReconcileKind,
  type ResourceRow,
  readFacts,
  recordFault,
  subjectOf,
  troveNow,
  unsettledResources,
  writeInstance,
  writeServiceStatus,
} from '@trove/catalog';
import { SERVICE_STATUSES } from '@trove/contracts';
import { guestAccount } from '@trove/crypto-rpc';
import type { Json, JsonObject, Step, StepContext, TaskEnd, TaskKind } from '@trove/tasks';
import type { Transaction } from '../guests/guest_keys.ts';
import { closeAccount } from '../tasks/shared/guest_accounts.ts';
import { memberOf, numberMember, optionalText } from '../tasks/shared/outputs.ts';
import { recordFailure } from '../tasks/shared/record_failure.ts';
import { COMPUTE_TIMEOUT_MS, PERSISTENT_RETRY, type TaskTools } from '../tasks/shared/tools.ts';
import {
  isFiledFor,
  isFiledForAny,
  RECONCILE_DEADLINE_MS,
  RECONCILE_INSTANCE,
  RECONCILE_VERSION,
} from './file_reconcile.ts';
import { removeThing } from './remove_thing.ts';
import { settledStatus } from './settle_status.ts';

const SETTLE = 'settle';
/** What is removed, or looked for, wherever it is. */
const SOUGHT = RECONCILE_KIND_NAMES.filter(
  (kind) => RECONCILE_KINDS[kind].deletes && RECONCILE_KINDS[kind].outside !== null,
);

/**
 * Puts one instance right under its slot: looks again, removes what it has too much, settles what was left in the middle, and
 * ends an action that nobody is at work on; of all that only what it was filed for, and only where it is still so.
 */
export function reconcileInstance(tools: TaskTools): TaskKind {
  const steps = [settle(tools)];
  return {
    kind: RECONCILE_INSTANCE,
    codeVersion: RECONCILE_VERSION,
    deadlineMs: RECONCILE_DEADLINE_MS,
    compensationDeadlineMs: 60_000,
    steps: () => steps,
    async onDone(tx, end) {
      await bookFound(tx, end);
      await settleStatus(tx, end);
    },
    onFailed: recordFailure,
    onCancelled: async () => {},
  };
}

/** Output: what was removed, what the server shows, and what is to be booked. */
function settle(tools: TaskTools): Step {
  return {
    name: SETTLE,
    timeoutMs: COMPUTE_TIMEOUT_MS,
    retry: PERSISTENT_RETRY,
    async run(context) {
      const { things, facts } = await look(tools, context);
      const removed = [
        ...(await removeUnowned(tools, context, facts, things)),
        ...(await removeLeftovers(tools, context, facts, things)),
      ];
      for (const row of unsettledResources(facts))
        if (isFiledFor(context.task.params, 'unsettled', row.token))
          await settleRow(tools, context, facts, { row, things });
      if (removed.length > 0) context.logger.info('removed what an instance had too much', { removed });
      const shown = await showParts(tools, context, facts);
      return { done: { removed, ...shown } };
    },
  };
}

interface Look {
  readonly things: readonly OutsideThing[];
  readonly facts: CatalogFacts;
}

/**
 * The world first, then the catalog, in which this task does not count as one at work. Every host has to answer, so they are
 * asked only where it was filed for what may be on any, and the broker only where it was for the account.
 */
async function look(tools: TaskTools, { task }: StepContext): Promise<Look> {
  const { catalog, compute, accounts, deploymentId } = tools;
  const { params, instanceId } = task;
  const anywhere = SOUGHT.some((kind) => isFiledForAny(params, kind));
  const account = subjectOf({ kind: 'account', id: guestAccount(instanceId) });
  const forAccount = isFiledFor(params, 'unowned', account) || isFiledFor(params, 'unheard', account);
  const marks = forAccount ? await accounts?.marks(instanceId) : undefined;
  const things = [
    ...(anywhere ? await compute.listOwned(await deploymentId(), instanceId) : []),
    ...(marks === undefined ? [] : markedAccounts(marks, await deploymentId())),
  ];
  const tokens = things.map((thing) => thing.clientToken);
  return {
    things,
    facts: await readFacts(catalog, { tokens, instanceIds: [], only: task.instanceId, except: task.id }),
  };
}

async function removeUnowned(
  tools: TaskTools,
  context: StepContext,
  facts: CatalogFacts,
  things: readonly OutsideThing[],
): Promise<string[]> {
  const { params } = context.task;
  const removed: string[] = [];
  for (const thing of things) {
    const ownership = ownershipOf(facts, thing, things);
    if (ownership !== 'unowned' && ownership !== 'unheard') continue;
    if (!isFiledFor(params, ownership, subjectOf(thing))) continue;
    // The queue of an instance that is there is its guest's, whoever made the account.
    if (thing.kind === 'account') await closeAccount(tools, context);
    else await removeThing(tools, thing, context.signal);
    removed.push(subjectOf(thing));
  }
  return removed;
}

/** All that a failed build has left: it holds nothing of anybody's. */
async function removeLeftovers(
  tools: TaskTools,
  context: StepContext,
  facts: CatalogFacts,
  things: readonly OutsideThing[],
): Promise<string[]> {
  const { params, instanceId } = context.task;
  if (!isFiledFor(params, 'leftover', instanceId)) return [];
  const rows = leftoversOfBuilds(facts).toSorted(serversFirst);
  const removed: string[] = [];
  for (const row of rows) {
    const made = things.filter((thing) => thing.clientToken === row.token && thing.kind !== 'account');
    if (row.kind === 'broker_account') await closeAccount(tools, context);
    else if (row.kind === 'queue') await tools.guests.deleteGuest(instanceId);
    for (const thing of made) await removeThing(tools, thing, context.signal);
    await forget(context, row);
    removed.push(...made.map(subjectOf));
  }
  return removed;
}

/** A server holds on to its volume, and an agent to its account. */
function serversFirst(one: ResourceRow, other: ResourceRow): number {
  return Number(other.kind === 'server') - Number(one.kind === 'server');
}

/** The row and the instance name it no more. */
async function forget(context: StepContext, { token, kind, external_id }: ResourceRow): Promise<void> {
  const { instanceId, fence } = context.task;
  await context.fenced(async (tx) => {
    await markResource(tx, { token, state: 'gone' });
    const row = await tx<InstanceRow>('instances').where({ id: instanceId }).first('compute_instance_id', 'volume_id');
    const values: InstanceValues = {
      ...(kind === 'server' &&
        row?.compute_instance_id === external_id && { compute_instance_id: null, addresses: null }),
      ...(kind === 'volume' && row?.volume_id === external_id && { volume_id: null }),
    };
    if (external_id !== null && Object.keys(values).length > 0) await writeInstance(tx, { instanceId, fence, values });
  });
}

/** What the instance names is its own; what else the token made was wanted by nobody that is still there. */
async function settleRow(
  tools: TaskTools,
  context: StepContext,
  facts: CatalogFacts,
  { row, things }: { readonly row: ResourceRow; readonly things: readonly OutsideThing[] },
): Promise<void> {
  if (row.kind !== 'server' && row.kind !== 'volume' && row.kind !== 'snapshot') return;
  const instance = facts.instances.get(row.instance_id);
  const made = things.filter((thing) => thing.clientToken === row.token && thing.kind === row.kind);
  const own = made.find(({ id }) => id === instance?.compute_instance_id || id === instance?.volume_id);
  for (const thing of made) if (thing !== own) await removeThing(tools, thing, context.signal);
  const settled = own === undefined ? { state: 'gone' as const } : { state: 'live' as const, externalId: own.id };
  await context.fenced((tx) => markResource(tx, { token: row.token, ...settled }));
}

/** What the instance's own server and volume are; each is asked for at its host alone, and only where that was the finding. */
async function showParts({ compute }: TaskTools, { task }: StepContext, facts: CatalogFacts): Promise<JsonObject> {
  const { instanceId, params } = task;
  const instance = facts.instances.get(instanceId);
  const [serverId, volumeId] = [instance?.compute_instance_id ?? null, instance?.volume_id ?? null];
  const isFor = (kind: ReconcileKind): boolean => isFiledFor(params, kind, instanceId);
  const server =
    serverId !== null && (isFor('status') || isFor('flavor')) ? await compute.getServer(serverId) : undefined;
  const isSized = isFor('volume_size') || isFor('smaller_volume');
  const size = volumeId !== null && isSized ? await compute.volumeSize(volumeId) : undefined;
  return {
    server_status: server?.status ?? null,
    ...(size !== undefined && { volume_size: size }),
    ...(server !== undefined && isFor('flavor') && (await showFlavor(compute, server.flavorId, instance?.flavor_id))),
  };
}

async function showFlavor(
  compute: TaskTools['compute'],
  flavorId: string | null,
  booked: string | null | undefined,
): Promise<JsonObject> {
  const ram = new Map((await compute.flavors()).map((flavor) => [flavor.id, flavor.ram]));
  return { flavor_id: flavorId, more_ram: (ram.get(flavorId ?? '') ?? 0) - (ram.get(booked ?? '') ?? 0) };
}

/** Before the instance is written otherwise: quota is locked first. */
async function bookFound(tx: Transaction, { task, outputs }: TaskEnd): Promise<void> {
  const { projectId, instanceId, fence } = task;
  const [size, flavorId] = [memberOf(outputs[SETTLE], 'volume_size'), optionalText(outputs[SETTLE], 'flavor_id')];
  const found = {
    volumeSize: typeof size === 'number' ? size : undefined,
    mayBeSmaller: isFiledFor(task.params, 'smaller_volume', instanceId),
    flavor: flavorId === undefined ? undefined : { id: flavorId, moreRam: numberMember(outputs[SETTLE], 'more_ram') },
  };
  await followWorld(tx, { projectId, instanceId, fence, found });
}

async function settleStatus(tx: Transaction, { task, outputs }: TaskEnd): Promise<void> {
  const { instanceId, fence, params } = task;
  if (!isFiledFor(params, 'status', instanceId)) return;
  const row = await tx<InstanceRow>('instances').where({ id: instanceId }).first('task_id', 'server_status');
  const output: Json | undefined = outputs[SETTLE];
  const settled = row && settledStatus(row, optionalText(output, 'server_status') ?? null);
  if (settled === undefined) return;
  await writeInstance(tx, { instanceId, fence, values: { ...settled.values, updated: troveNow(tx) } });
  if (settled.failedBuild)
    await writeServiceStatus(tx, { instanceId, status: SERVICE_STATUSES.FAILED_TIMEOUT_GUESTAGENT });
  const details = `${task.kind}: ${settled.message}`;
  await recordFault(tx, { instanceId, message: settled.message, details });
}
