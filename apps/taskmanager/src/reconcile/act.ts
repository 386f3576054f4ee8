import {
  type Catalog,
  correctQuota,
  eraseDeadKeys,
  freeDeadSlot,
  type OutsideThing,
  ownershipOf,
  type RamOf,
  type RecordedFinding,
  readFacts,
  settleGone,
  subjectOf,
  withTransaction,
} from '@trove/catalog';
import { isTroveError } from '@trove/common';
import type { ComputeDriver } from '@trove/compute';
import type { BrokerAccounts } from '../broker/broker_accounts.ts';
import { deleteAgain } from './delete_again.ts';
import { fileReconcile } from './file_reconcile.ts';
import { removeThing } from './remove_thing.ts';

export interface ActDeps {
  readonly catalog: Catalog;
  readonly compute: ComputeDriver;
  readonly accounts?: BrokerAccounts | undefined;
  readonly ramOf: RamOf;
  /** As this run has listed them; undefined where nobody could: then nothing that needs them is acted on. */
  readonly things: readonly OutsideThing[] | undefined;
  /** Everything that is acted on in this run: a task gets all that is its instance's. */
  readonly acts: readonly RecordedFinding[];
  /** Ends the act in the middle; it is found again. */
  readonly signal: AbortSignal;
}

/**
 * What came of it. `filed`: a task that holds the instance's slot looks again and acts. `not any more`: it has settled itself,
 * or a task has come to work on it.
 */
export type ActOutcome = 'done' | 'filed' | 'not any more';

/**
 * Acts on one finding, after looking again. An instance that is there is worked on by a task under its slot; nothing can be
 * filed for one that is deleted, so what is left of it is removed here, under the reconciler's lease.
 */
export async function actOn(deps: ActDeps, finding: RecordedFinding): Promise<ActOutcome> {
  const { catalog } = deps;
  switch (finding.kind) {
    case 'quota':
      return await correct(deps, finding.subject);
    case 'slot':
      return outcomeOf(await withTransaction(catalog, (tx) => freeDeadSlot(tx, finding.subject)));
    case 'dead_key':
      return outcomeOf(await withTransaction(catalog, (tx) => eraseDeadKeys(tx, finding.subject)));
    case 'failed_delete':
      return (await deleteAgain(catalog, finding.subject)) ? 'filed' : 'not any more';
    case 'status':
    case 'volume_size':
    case 'smaller_volume':
    case 'flavor':
      return await file(deps, finding);
    default:
      return await removeOrFile(deps, finding);
  }
}

async function correct({ catalog, ramOf }: ActDeps, subject: string): Promise<ActOutcome> {
  const projectId = subject.slice(0, subject.lastIndexOf(':'));
  return outcomeOf((await withTransaction(catalog, (tx) => correctQuota(tx, { projectId, ramOf }))).length > 0);
}

async function file({ catalog, acts }: ActDeps, { instanceId }: RecordedFinding): Promise<ActOutcome> {
  if (instanceId === null) return 'not any more';
  const own = acts.filter((finding) => finding.instanceId === instanceId);
  try {
    const filed = await withTransaction(catalog, (tx) => fileReconcile(tx, { instanceId, findings: own }));
    return filed ? 'filed' : 'not any more';
  } catch (error) {
    if (isTroveError(error, 'UNPROCESSABLE')) return 'not any more';
    throw error;
  }
}

/**
 * The catalog is read anew, after the listing; what a thing was made by and for never changes, so the world is not listed
 * again: that may take long, and what is gone meanwhile is no error to remove.
 */
async function removeOrFile(deps: ActDeps, finding: RecordedFinding): Promise<ActOutcome> {
  const { catalog, signal, things = [] } = deps;
  const { kind, subject, instanceId } = finding;
  const thing = kind === 'unsettled' ? undefined : things.find((each) => subjectOf(each) === subject);
  const tokens = [subject, ...(thing === undefined ? [] : [thing.clientToken])];
  const facts = await readFacts(catalog, { tokens, instanceIds: [], only: instanceId ?? '' });
  if (facts.instances.size > 0) return await file(deps, finding);
  if (kind === 'unsettled') return await settleRow(deps, things, facts.resources.get(subject));
  if (thing === undefined || ownershipOf(facts, thing, things) !== kind) return 'not any more';
  await removeThing(deps, thing, signal);
  const row = facts.resources.get(thing.clientToken);
  if (row !== undefined) await settleGone(catalog.knex, row);
  return 'done';
}

/** A row of an instance that is gone: what it made is removed as what nobody owns, and then it settles. */
async function settleRow(
  { catalog }: ActDeps,
  things: readonly OutsideThing[],
  row: Parameters<typeof settleGone>[1] | undefined,
): Promise<ActOutcome> {
  if (row === undefined || things.some((thing) => thing.clientToken === row.token)) return 'not any more';
  await settleGone(catalog.knex, row);
  return 'done';
}

function outcomeOf(changed: boolean): ActOutcome {
  return changed ? 'done' : 'not any more';
}
