import { type Clock, systemClock } from '@trove/common';
import type { Catalog } from '../catalog.ts';
import type { KeyRings } from '../keys/rings.ts';
import { queuesThatStand } from './broker_queues.ts';
import { type BusTap, readBus } from './bus_in_clear.ts';
import { type GuestEffects, repeatedEffects } from './effects.ts';
import { type CatalogFacts, readFacts, readInSnapshot } from './facts.ts';
import {
  type CheckResult,
  type Finding,
  found,
  INVARIANTS,
  type InvariantId,
  type InvariantResult,
  millis,
  ofSourced,
  readSource,
  type Source,
  type Sourced,
  together,
} from './findings.ts';
import { instancesLeftInTheMiddle } from './instances_rest.ts';
import { type KeysAtRest, keysThatDiffer, openedKeys, policiesOfKeys, readKeys } from './keys_agree.ts';
import {
  type BrokerReading,
  instanceOfAccount,
  instanceOfQueue,
  markedAccounts,
  type OutsideThing,
} from './outside.ts';
import { type Around, ownersOfThings, ownersOnBroker } from './owners.ts';
import { quotaDifferences, type RamOf, uncountableProjects } from './quota_difference.ts';
import type { NamedSecret } from './secret_forms.ts';
import { scanLogs } from './secret_scan.ts';
import { keysNotCompared, readSilentGuests } from './silent_guests.ts';
import { type Quarantined, quarantinedGuests, readQuarantine, secondAgents, secondServers } from './single_server.ts';
import { sizesThatDiffer } from './size_differences.ts';
import { overdueTasks, readVisibleEnds, silentFailures, tasksWithoutSlot, type VisibleEnds } from './tasks_end.ts';

/** What the invariants are checked on. What is out of reach says why, and so does the report. */
export interface InvariantDeps {
  readonly catalog: Catalog;
  /** All that compute has of this deployment, or of several. */
  readonly things: Source<readonly OutsideThing[]>;
  readonly flavors: Source<readonly { readonly id: string; readonly ram: number }[]>;
  readonly broker: Source<BrokerReading>;
  readonly rings: KeyRings | { readonly notChecked: string };
  /** Read once, before the rest. Default: not tapped. */
  readonly bus?: BusTap | { readonly notChecked: string };
  /** Log files, and secrets besides the guests' keys that must not be in them. */
  readonly logs: { readonly files: readonly string[]; readonly secrets: readonly NamedSecret[] };
  /** What guests have done, counted where it can be seen. */
  readonly effects: Source<readonly GuestEffects[]>;
  /** Between two readings: only what is in both is a finding, the rest was under way. Default 3000. */
  readonly settleMs?: number;
  readonly clock?: Clock;
}

export interface InvariantReport {
  /** Milliseconds since 1970, by the database. */
  readonly checkedAt: number;
  readonly results: readonly InvariantResult[];
  /** Of all results. */
  readonly findings: number;
}

/**
 * Checks I1 to I10 without changing anything, on a deployment that may be at work: what a task is at is left out, and what
 * is gone in a second reading was no finding. Rejects where the catalog or a source that is there cannot be read.
 */
export async function checkInvariants(deps: InvariantDeps): Promise<InvariantReport> {
  const bus = await checkBus(deps);
  const first = await checkOnce(deps, bus);
  if (first.findings === 0) return first;
  await (deps.clock ?? systemClock).sleep(deps.settleMs ?? 3000);
  const second = await checkOnce(deps, bus);
  const before = new Set(first.results.flatMap((result) => result.findings.map(({ key }) => key)));
  const results = second.results.map((result) => ({
    ...result,
    findings: result.findings.filter(({ key }) => before.has(key)),
  }));
  return { ...second, results, findings: countFindings(results) };
}

/** All that is read for one look. */
interface Reading extends Around {
  readonly things: Sourced<readonly OutsideThing[]>;
  readonly broker: Sourced<BrokerReading>;
  readonly flavors: Sourced<RamOf>;
  readonly effects: Sourced<readonly GuestEffects[]>;
  readonly keys: KeysAtRest;
  readonly ends: VisibleEnds;
  readonly quarantined: readonly Quarantined[];
  readonly silent: readonly string[];
}

async function checkOnce(deps: InvariantDeps, bus: CheckResult): Promise<InvariantReport> {
  const reading = await read(deps);
  const { after } = reading;
  const broker = (check: (value: BrokerReading) => readonly Finding[]): CheckResult => ofSourced(reading.broker, check);
  const results: Readonly<Record<InvariantId, CheckResult>> = {
    I1: found(overdueTasks(after)),
    I2: found(instancesLeftInTheMiddle(after)),
    I3: together(checkThings(reading), checkAccounts(reading)),
    I4: together(
      ofSourced(reading.things, (things) => secondServers(after, things)),
      found(quarantinedGuests(reading.quarantined)),
      broker(secondAgents),
    ),
    I5: together(
      checkQuota(after, reading.flavors),
      ofSourced(reading.things, (things) => sizesThatDiffer(reading, things)),
    ),
    I6: together(found(policiesOfKeys(after, reading.keys)), checkKeys(deps, reading), {
      findings: [],
      notChecked: keysNotCompared(reading.silent),
    }),
    I7: together(found(tasksWithoutSlot(after)), found(silentFailures(reading.ends))),
    I8: ofSourced(reading.effects, repeatedEffects),
    I9: together(await checkLogs(deps, reading), bus),
    I10: broker(queuesThatStand),
  };
  const named = invariantIds().map((invariant) => ({
    invariant,
    title: INVARIANTS[invariant],
    ...results[invariant],
  }));
  return { checkedAt: millis(after.now), results: named, findings: countFindings(named) };
}

/** A key that an instance gets later is not looked for. */
async function checkBus({ bus, catalog, logs, rings }: InvariantDeps): Promise<CheckResult> {
  if (bus === undefined || 'notChecked' in bus)
    return { findings: [], notChecked: [bus?.notChecked ?? 'the bus: not tapped'] };
  const known = secretsKnown(logs.secrets, await readInSnapshot(catalog, readKeys), rings);
  const checked = await readBus(catalog, bus, known);
  const unknown = 'notChecked' in rings ? [`guests' keys on the bus: ${rings.notChecked}`] : [];
  return { ...checked, notChecked: [...unknown, ...checked.notChecked] };
}

async function read(deps: InvariantDeps): Promise<Reading> {
  const { catalog } = deps;
  const before = await readFacts(catalog, { tokens: [], instanceIds: [] });
  const things = await readSource(deps.things);
  const broker = await readSource(deps.broker);
  const flavors = await readSource(deps.flavors);
  const effects = await readSource(deps.effects);
  const after = await readFacts(catalog, askAbout(things, broker, before.deploymentId));
  const rest = await readInSnapshot(catalog, async (tx) => ({
    keys: await readKeys(tx),
    ends: await readVisibleEnds(tx),
    quarantined: await readQuarantine(tx),
    silent: await readSilentGuests(tx),
  }));
  return { before, things, broker, flavors: ramOf(flavors), effects, after, ...rest };
}

const NO_BROKER: BrokerReading = { accounts: [], marks: new Map(), queues: [] };

function askAbout(
  things: Reading['things'],
  broker: Reading['broker'],
  deploymentId: string,
): Parameters<typeof readFacts>[1] {
  const listed = 'value' in things ? things.value : [];
  const { accounts, marks, queues } = 'value' in broker ? broker.value : NO_BROKER;
  const marked = markedAccounts(marks, deploymentId);
  return {
    tokens: [...listed, ...marked].map((thing) => thing.clientToken),
    instanceIds: [
      ...listed.map((thing) => thing.instanceId),
      ...accounts.flatMap((name) => instanceOfAccount(name) ?? []),
      ...queues.flatMap(({ name }) => instanceOfQueue(name) ?? []),
    ],
  };
}

function ramOf(flavors: Sourced<readonly { readonly id: string; readonly ram: number }[]>): Sourced<RamOf> {
  if (!('value' in flavors)) return flavors;
  const known = new Map(flavors.value.map(({ id, ram }) => [id, ram]));
  return { value: (flavorId) => known.get(flavorId) };
}

function checkThings(reading: Reading): CheckResult {
  const { things } = reading;
  if (!('value' in things)) return { findings: [], notChecked: [things.notChecked] };
  return ownersOfThings(reading, things.value);
}

function checkAccounts(reading: Reading): CheckResult {
  const { broker } = reading;
  return 'value' in broker ? ownersOnBroker(reading, broker.value) : { findings: [], notChecked: [broker.notChecked] };
}

function checkQuota(facts: CatalogFacts, flavors: Sourced<RamOf>): CheckResult {
  if (!('value' in flavors)) return { findings: [], notChecked: [flavors.notChecked] };
  const uncountable = uncountableProjects(facts, flavors.value);
  const findings = quotaDifferences(facts, flavors.value).map(({ projectId, resource, shown, counted }) => ({
    key: `quota:${projectId}:${resource}`,
    instanceId: null,
    what: `project ${projectId} is charged ${shown.inUse} + ${shown.reserved} reserved of ${resource}, and has ${counted.inUse} + ${counted.reserved}`,
    since: null,
    todo: 'The reconciler corrects it after its grace time; see trove-manage reconcile.',
  }));
  const notChecked = uncountable.map((project) => `memory of project ${project}: flavors that compute does not know`);
  return { findings, notChecked };
}

function checkKeys({ rings }: InvariantDeps, { after, keys }: Reading): CheckResult {
  if ('notChecked' in rings) return { findings: [], notChecked: [rings.notChecked] };
  return found(keysThatDiffer(after, keys, rings));
}

async function checkLogs({ logs, rings }: InvariantDeps, { keys }: Reading): Promise<CheckResult> {
  if (logs.files.length === 0) return { findings: [], notChecked: ['logs: no files were given'] };
  const { findings, tooShort } = await scanLogs(logs.files, secretsKnown(logs.secrets, keys, rings));
  const unknown = 'notChecked' in rings ? [`guests' keys in logs: ${rings.notChecked}`] : [];
  return { findings, notChecked: [...unknown, ...tooShort.map((name) => `${name} in logs: too short to look for`)] };
}

function secretsKnown(given: readonly NamedSecret[], keys: KeysAtRest, rings: InvariantDeps['rings']): NamedSecret[] {
  const guests = 'notChecked' in rings ? [] : openedKeys(keys, rings);
  return [...given, ...guests.map((secret) => ({ name: "a guest's key", secret }))];
}

function countFindings(results: readonly InvariantResult[]): number {
  return results.reduce((sum, { findings }) => sum + findings.length, 0);
}

function invariantIds(): InvariantId[] {
  return Object.keys(INVARIANTS).filter((id): id is InvariantId => id in INVARIANTS);
}
