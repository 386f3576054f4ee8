import { expect, test } from 'vitest';
import type { Outside } from './outside.ts';
import { findCompose } from './stack/compose/compose_project.ts';
import { engineAnswers, engineSocket } from './stack/compose/local_engine.ts';
import { type ComposeRuntime, openComposeRuntime } from './stack/compose_runtime.ts';
import { parseList } from './table_reader.ts';
import { summary } from './walkthrough.ts';
import { type Between, differences, expectEachPlantToFailItsRow, recordWalk } from './walkthrough_test_support.ts';

const socket = engineSocket(process.env);
const missing = await whatIsMissing();
if (missing !== undefined) process.stderr.write(`not run, on Compose: ${missing}\n`);

async function whatIsMissing(): Promise<string | undefined> {
  if (socket === undefined || !(await engineAnswers(socket))) return 'no Docker engine of this machine answers';
  return findCompose() === undefined ? 'there is neither "docker compose" nor docker-compose' : undefined;
}

/** What is killed in which row, in the middle of what that row waits for. */
const KILLS: Readonly<Record<number, string>> = {
  4: 'conductor',
  5: 'api',
  6: 'rabbitmq',
  9: 'mysql',
  10: 'taskmanager',
};
const SERVICES = Object.values(KILLS);
/** Killing costs time, and nothing but time. */
const SLOWER = 3;

/** Kills a row's container once, and the engine brings it back: at the first look after the control plane began, or while an instance is made or rebuilt. */
function killing({ containers }: ComposeRuntime, killed: string[]): Between {
  return (outside, row) => {
    let looksUntilKill = Number.POSITIVE_INFINITY;
    const look = async () => {
      looksUntilKill -= 1;
      const service = KILLS[row()];
      if (looksUntilKill > 0 || service === undefined || killed.includes(service)) return;
      killed.push(service);
      looksUntilKill = Number.POSITIVE_INFINITY;
      await containers.kill(service);
      await expect.poll(() => containers.restarts(service), { timeout: 60_000 }).toBe(1);
    };
    return {
      ...outside,
      async startControlPlane(messaging) {
        const said = await outside.startControlPlane(messaging);
        looksUntilKill = 1;
        return said;
      },
      async select(sql) {
        if (row() === 4) await look();
        return outside.select(sql);
      },
      async trove(speaker, argv, input) {
        const [command] = argv;
        // The row looks once more at the status that an upgrade begins with.
        if (command === 'create') looksUntilKill = 1;
        if (command === 'upgrade') looksUntilKill = 2;
        if (command === 'show' && row() !== 4) await look();
        return outside.trove(speaker, argv, input);
      },
      sleep: (ms) => outside.sleep(ms * SLOWER),
    } satisfies Outside;
  };
}

/** What must be the same before a `down` and after the next `up`. */
async function everything(runtime: ComposeRuntime): Promise<unknown> {
  const { catalog, containers } = runtime;
  const rows = await catalog.select(
    'select id, name, encrypted_key, rpc_policy from instances where deleted = 0 order by id',
  );
  const servers = await Promise.all(rows.map(({ id }) => containers.server(String(id))));
  return { rows, servers, secrets: await containers.readFile('/stack/secrets/secrets.json') };
}

test.runIf(missing === undefined)(
  `the walkthrough is as expected with containers as instances while each container of the stack is killed once, and a down and up keeps everything${missing === undefined ? '' : `; not run: ${missing}`}`,
  async () => {
    const runtime = await openComposeRuntime(() => undefined);
    const { project, healthy } = runtime;
    const killed: string[] = [];
    let ok = false;
    try {
      const { results, calls, screen } = await recordWalk(runtime, killing(runtime, killed));
      expect(differences(results), screen).toEqual([]);
      expect(summary(results).ok).toBe(true);
      expect(killed).toEqual(SERVICES);
      await expectEachPlantToFailItsRow(calls);

      const before = await everything(runtime);
      await project.must('down', '--timeout', '20');
      await project.must('up', '-d');
      await healthy(SERVICES);
      expect(await everything(runtime)).toEqual(before);
      const ask = async (name: string) => {
        const argv = ['exec', '-T', 'api', 'trove', 'database-list', name];
        return parseList(await project.must(...argv)).map((row) => row.name);
      };
      await expect.poll(() => ask('m20').catch(String), { timeout: 60_000, interval: 2000 }).toEqual(['foo20']);
      await expect.poll(() => ask('m10').catch(String), { timeout: 60_000, interval: 2000 }).toEqual(['foo10']);
      ok = true;
    } finally {
      await runtime.close({ keepFiles: !ok });
    }
  },
  1_800_000,
);
