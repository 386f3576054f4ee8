import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { expect, test } from 'vitest';
import type { MachineRuntime } from './stack/memory_runtime.ts';
import { openRealRuntime } from './stack/real_runtime.ts';
import { summary } from './walkthrough.ts';
import { differences, expectEachPlantToFailItsRow, recordWalk } from './walkthrough_test_support.ts';

/** The programs that run on this deployment's files, one per process, without this process. */
function programsOn({ deployment, instancesRoot }: MachineRuntime): string[] {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const commands = processes.map((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    } catch {
      return []; // It has ended since.
    }
  });
  return commands
    .filter((words) => words.some((word) => word.startsWith(deployment.folder) || word.startsWith(instancesRoot)))
    .flatMap((words) => words.filter((word) => /\/trove-[a-z]+\.js$/.test(word)).map((word) => basename(word, '.js')))
    .toSorted();
}

test('the walkthrough is as expected over RabbitMQ and MariaDB with each service a process of its own', async () => {
  const runtime = await openRealRuntime(() => undefined);
  try {
    const { results, calls, screen } = await recordWalk(runtime);
    expect(differences(results), screen).toEqual([]);
    expect(summary(results).ok).toBe(true);
    const agents = ['m2', 'm3', 'm4', 'm10', 'm20'].map(() => 'trove-guestagent');
    if (process.platform === 'linux')
      expect(programsOn(runtime)).toEqual(['trove-api', 'trove-conductor', ...agents, 'trove-taskmanager']);
    await expectEachPlantToFailItsRow(calls);
  } finally {
    await runtime.close();
  }
}, 400_000);
