import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { checkInvariants, type InstanceRow, type InvariantReport, type TaskRow } from '@trove/catalog';
import { Secret } from '@trove/common';
import { localThings } from '@trove/compute';
import { seededRandom } from '@trove/testkit';
import { settleAccounts, type Tally, tallyTable } from './accounts.ts';
import { BrokerHands } from './broker_hands.ts';
import { FAULTS, type Fault, type Hands } from './faults/index.ts';
import { type Ground, layGround } from './ground.ts';
import { guestPids, signalGuest, tornFiles } from './guests.ts';
import { countEffects } from './inside/effects.ts';
import { randomOf } from './inside/run_folder.ts';
import { Load } from './load.ts';
import { strayMarks, tasksByRelease } from './marks.ts';
import { lookAfter } from './operator.ts';

export interface ChaosOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly tenants: number;
  /** How long all that was begun may take to end once nothing is broken any more. */
  readonly quietSeconds: number;
  /** Keeps the folder also where all holds. */
  readonly keep?: boolean;
  readonly faults?: readonly Fault[];
  readonly servers: 'own' | 'shared';
}

export interface ChaosReport {
  readonly holds: boolean;
  /** For people, and for a test's message. */
  readonly text: string;
  /** Where the logs are, where they were kept. */
  readonly folder: string | undefined;
  readonly tallies: readonly Tally[];
}

type Say = (line: string) => void;

/** A deployment of real processes under load, broken by a schedule that follows from the seed, mended, and checked. */
export async function runChaos(options: ChaosOptions, say: Say): Promise<ChaosReport> {
  const started = performance.now();
  const tell: Say = (line) => say(`${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s  ${line}`);
  const ground = await layGround(options, tell);
  const broker = new BrokerHands(ground.broker);
  const random = seededRandom(options.seed);
  let keep = true;
  try {
    await broker.watch();
    for (const service of ground.services) service.start();
    await answers(ground);
    tell(`${ground.services.length} services answer; ${options.tenants} tenants begin; seed ${options.seed}`);
    const load = new Load(ground);
    load.start(options.tenants);
    const applied = await breakThings({ ground, broker, random, load }, options, tell);
    mend(ground);
    tell('nothing is broken any more');
    const unfinished = await quiet({ ground, load, broker }, options.quietSeconds, tell);
    const report = await checkAll(ground, broker, options.quietSeconds, tell);
    const { takenBack } = ground;
    const content = await databasesOf(ground);
    const tallies = await settleAccounts(ground.catalog, load.entries, { content, takenBack });
    const torn = tornFiles(ground.instancesRoot);
    const { notHeld } = ground;
    notHeld.push(...(await strayMarks(ground)));
    const byRelease = await tasksByRelease(ground);
    const text = textOf({ options, applied, byRelease, unfinished, report, tallies, torn, notHeld });
    writeFileSync(join(ground.folder, 'report.txt'), text);
    const wrong = tallies.reduce((sum, tally) => sum + tally.lost.length + tally.duplicated.length, 0);
    const holds = wrong + report.findings + unfinished.length + torn.length + notHeld.length === 0;
    keep = !holds || options.keep === true;
    return { holds, text, folder: keep ? ground.folder : undefined, tallies };
  } finally {
    await takeDown(ground, broker);
    if (!keep) rmSync(ground.folder, { recursive: true, force: true });
  }
}

async function answers(ground: Ground): Promise<void> {
  for (const url of ground.apiUrls) {
    const ask = async (): Promise<boolean> =>
      (await fetch(`${url}/instances`, { headers: { 'x-auth-token': ground.token } })).ok;
    while (!(await ask().catch(() => false))) await delay(200);
  }
}

/** One fault after the other, in an order that follows from the seed, each once before any comes twice. */
async function breakThings(hands: Hands, options: ChaosOptions, tell: Say): Promise<Map<string, number>> {
  const { random } = hands;
  const end = performance.now() + options.seconds * 1000;
  const applied = new Map<string, number>();
  const possible = (options.faults ?? FAULTS).filter(({ ownServers }) => ownServers !== true || hands.ground.own);
  let waiting: Fault[] = [];
  let turn = 0;
  for (;;) {
    await delay(1000 + random() * 3000);
    if (waiting.length === 0) waiting = shuffled(possible, random);
    const left = (end - performance.now()) / 1000;
    const index = waiting.findIndex(({ seconds }) => seconds <= left);
    const [fault] = index < 0 ? [] : waiting.splice(index, 1);
    if (fault === undefined) return applied;
    tell(fault.name);
    // One that finds nothing to break, or is itself cut off by the one before, is none.
    turn += 1;
    // Its own: what one draws depends on how fast this machine is, and what comes after must not.
    const own = { ...hands, random: randomOf(options.seed, 'fault', turn) };
    await fault.apply(own).then(
      () => applied.set(fault.name, (applied.get(fault.name) ?? 0) + 1),
      (error: unknown) => tell(`  could not: ${String(error)}`),
    );
  }
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, order: random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ item }) => item);
}

function mend({ proxies, services, trouble, folder }: Ground): void {
  for (const proxy of [...Object.values(proxies.broker), ...Object.values(proxies.catalog), proxies.management])
    proxy.resume();
  trouble({});
  for (const service of services) service.resume();
  for (const pid of guestPids(folder)) signalGuest(pid, 'SIGCONT');
}

/** Waits until the load has its answers and every task has ended; what has not by then. */
async function quiet(
  { ground, load, broker }: Pick<Hands, 'ground' | 'load' | 'broker'>,
  seconds: number,
  tell: Say,
): Promise<readonly TaskRow[]> {
  let answered = false;
  const ending = load.end().then(() => {
    answered = true;
  });
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const unfinished = await ground.catalog
      .knex<TaskRow>('tasks')
      .whereNotIn('state', ['done', 'failed', 'cancelled'])
      .select();
    if (ground.takenBack.length > 0) await lookAfter(ground, await check(ground, broker));
    if ((answered && unfinished.length === 0) || performance.now() > end) {
      tell(
        `${unfinished.length} tasks have not ended; ${answered ? 'every request is' : 'NOT every request is'} answered`,
      );
      if (answered) await ending;
      return unfinished;
    }
    await delay(1000);
  }
}

/** I1 to I10, until they hold or the time is over: reports, hellos and the repair of accounts come in their own time. */
async function checkAll(ground: Ground, broker: BrokerHands, seconds: number, tell: Say): Promise<InvariantReport> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const report = await check(ground, broker);
    tell(`${report.findings} findings in I1 to I10`);
    if (report.findings === 0 || performance.now() > end) return report;
    if (ground.takenBack.length > 0) await lookAfter(ground, report);
    await delay(3000);
  }
}

function secrets(ring: readonly string[]): Secret[] {
  return ring.map((key) => new Secret(key));
}

/** Logs of instances that are removed meanwhile are gone with them. */
async function check(ground: Ground, broker: BrokerHands): Promise<InvariantReport> {
  for (;;) {
    try {
      return await checkOnce(ground, broker);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
  }
}

async function checkOnce(ground: Ground, broker: BrokerHands): Promise<InvariantReport> {
  const { catalog, keys, folder, instancesRoot } = ground;
  return await checkInvariants({
    catalog,
    things: { read: async () => localThings({ root: instancesRoot }) ?? [] },
    flavors: {
      read: async () =>
        JSON.parse(readFileSync(join(instancesRoot, 'flavors.json'), 'utf8')) as { id: string; ram: number }[],
    },
    broker: { read: () => broker.read() },
    bus: broker.tapped(),
    rings: { instance: secrets(keys.inst_rpc_key_encr_key), uplink: secrets(keys.inst_rpc_uplink_encr_key) },
    logs: {
      files: [...ground.logFiles(), ...guestLogs(ground)],
      secrets: Object.entries(keys).flatMap(([name, ring]) => secrets(ring).map((secret) => ({ name, secret }))),
    },
    effects: { read: async () => countEffects(folder) },
  });
}

function guestLogs({ instancesRoot }: Ground): readonly string[] {
  const names = readdirSync(instancesRoot, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.log')).map((name) => join(instancesRoot, name));
}

/** What is on the volumes of the instances that serve. */
async function databasesOf({ catalog, instancesRoot }: Ground): Promise<ReadonlyMap<string, readonly string[]>> {
  const rows = await catalog
    .knex<InstanceRow>('instances')
    .where({ deleted: 0, server_status: 'ACTIVE' })
    .select('id', 'volume_id');
  const files = readdirSync(instancesRoot, { recursive: true, encoding: 'utf8' });
  const found = rows.flatMap(({ id, volume_id }): [string, readonly string[]][] => {
    const file = files.find((name) => name.includes(`${volume_id}/`) && name.endsWith('database/content.json'));
    if (file === undefined) return [];
    const { databases } = JSON.parse(readFileSync(join(instancesRoot, file), 'utf8')) as {
      databases: { name: string }[];
    };
    return [[id, databases.map(({ name }) => name)]];
  });
  return new Map(found);
}

async function takeDown(ground: Ground, broker: BrokerHands): Promise<void> {
  mend(ground);
  await Promise.all(ground.services.map((service) => service.stop()));
  for (const pid of guestPids(ground.folder)) signalGuest(pid, 'SIGKILL');
  await broker.close();
  await ground.close();
}

function textOf(run: {
  options: ChaosOptions;
  applied: ReadonlyMap<string, number>;
  byRelease: readonly string[];
  unfinished: readonly TaskRow[];
  report: InvariantReport;
  tallies: readonly Tally[];
  torn: readonly string[];
  notHeld: readonly string[];
}): string {
  const { options, applied, byRelease, unfinished, report, tallies, torn, notHeld } = run;
  const lines = [
    `seed ${options.seed}, ${options.seconds} s, ${options.tenants} tenants`,
    '',
    'faults:',
    ...[...applied].map(([name, times]) => `  ${times} × ${name}`),
    'tasks by the version of their code:',
    ...byRelease.map((line) => `  ${line}`),
    '',
    tallyTable(tallies),
    '',
    ...tallies.flatMap(({ lost, duplicated }) => [
      ...lost.map((line) => `lost: ${line}`),
      ...duplicated.map((line) => `duplicated: ${line}`),
    ]),
    ...notHeld.map((line) => `not held: ${line}`),
    ...unfinished.map(({ id, kind, state, step, error }) => `unfinished: ${kind} ${id} at ${state} ${step}: ${error}`),
    ...torn.map((path) => `written by half: ${path}`),
    ...report.results.flatMap((result) => [
      `${result.invariant} ${result.findings.length === 0 ? 'holds' : 'DOES NOT HOLD'}: ${result.title}`,
      ...result.notChecked.map((why) => `  not checked: ${why}`),
      ...result.findings.map(
        ({ what, instanceId, since }) => `  ${what} (${instanceId ?? '-'}, since ${since ?? '-'})`,
      ),
    ]),
  ];
  return `${lines.join('\n')}\n`;
}
