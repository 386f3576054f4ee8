// `npm run bench [-- NAME…]`: measures against real RabbitMQ and MariaDB and prints tables; all figures also as JSON in
// .bench/results.json. It reports and fails nothing: what is asserted are results, not times.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { type Measurement, table } from '../packages/testkit/src/bench/index.ts';
import { provideServers } from '../packages/testkit/src/index.ts';

/** One process each, so that no benchmark inherits another's heap or compiled code. */
const BENCHMARKS: Readonly<Record<string, () => Promise<Measurement[]>>> = {
  seal: async () => (await import('../packages/crypto-rpc/bench/seal.bench.ts')).benchSeal(),
  calls: async () => (await import('../packages/crypto-rpc/bench/calls.bench.ts')).benchCalls(),
  heartbeats: async () => (await import('../apps/conductor/bench/heartbeats.bench.ts')).benchHeartbeats(),
  accounts: async () => (await import('../apps/taskmanager/bench/accounts.bench.ts')).benchAccounts(),
  walls: async () => (await import('../apps/taskmanager/bench/walls.bench.ts')).benchWalls(),
  api: async () => (await import('../apps/api/bench/requests.bench.ts')).benchRequests(),
  tasks: async () => (await import('../packages/tasks/bench/tasks.bench.ts')).benchTasks(),
  services: async () => (await import('../apps/standalone/bench/services.bench.ts')).benchServices(),
};

const wanted = process.argv.slice(2);
if (process.send) await runOne(wanted[0] ?? '');
else await runAll(wanted.length > 0 ? wanted : Object.keys(BENCHMARKS));

async function runOne(name: string): Promise<void> {
  const benchmark = BENCHMARKS[name];
  if (!benchmark) throw new Error(`no benchmark is named ${name}`);
  const measurements = await benchmark();
  await new Promise<void>((sent) => process.send?.(measurements, undefined, {}, () => sent()));
  process.disconnect();
}

async function runAll(names: readonly string[]): Promise<void> {
  const unknown = names.filter((name) => !BENCHMARKS[name]);
  if (unknown.length > 0) {
    console.error(`no benchmark is named ${unknown.join(', ')}; there are: ${Object.keys(BENCHMARKS).join(', ')}`);
    process.exitCode = 2;
    return;
  }
  const servers = await provideServers(process.env, (line) => console.error(line));
  try {
    const machine = describeMachine(servers.descriptions);
    console.log(`${Object.values(machine).join('; ')}\n`);
    const measurements: Measurement[] = [];
    for (const name of names) {
      const own = await inOwnProcess(name, { ...process.env, ...servers.urls });
      for (const measurement of own) console.log(table(measurement));
      measurements.push(...own);
    }
    await mkdir('.bench', { recursive: true });
    await writeFile('.bench/results.json', `${JSON.stringify({ machine, measurements }, null, 2)}\n`);
    console.log('all figures: .bench/results.json');
  } finally {
    await servers.stop();
  }
}

async function inOwnProcess(name: string, env: NodeJS.ProcessEnv): Promise<Measurement[]> {
  const child = fork(import.meta.filename, [name], { env });
  let received: Measurement[] | undefined;
  child.on('message', (message) => {
    received = message as Measurement[];
  });
  await once(child, 'exit');
  if (!received) {
    console.error(`the benchmark ${name} ended without figures (exit code ${child.exitCode})`);
    process.exitCode = 1;
  }
  return received ?? [];
}

function describeMachine(servers: readonly string[]): Record<string, string> {
  const processors = cpus();
  return {
    processor: `${processors.length} × ${processors[0]?.model ?? 'unknown'}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${process.platform} ${release()}`,
    node: process.version,
    servers: servers.join(', '),
    load: `load before the run ${loadavg()[0]?.toFixed(2)}`,
  };
}
