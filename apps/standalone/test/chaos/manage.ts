import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Ground } from './ground.ts';

const PROGRAM = new URL('../../bin/trove-manage.js', import.meta.url).pathname;
const WITHIN_MS = 60_000;
const run = promisify(execFile);

/** `trove-manage` as an operator runs it beside a taskmanager, with that one's file and the run's own way to the catalog. */
export async function manage(
  { servicesOf, database, proxies }: Ground,
  ...command: readonly string[]
): Promise<string> {
  const [taskmanager] = servicesOf('taskmanager');
  if (taskmanager === undefined) throw new Error('there is no taskmanager');
  const args = [PROGRAM, '--config-file', taskmanager.configFile, ...command];
  const env = { ...process.env, TROVE_DATABASE__CONNECTION: proxies.own.through(database.url) };
  const { stdout } = await run(process.execPath, args, { env, timeout: WITHIN_MS, maxBuffer: 2 ** 26 });
  return stdout;
}
