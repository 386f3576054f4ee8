import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { dirname } from 'node:path';
import type { CommandResult } from '../../outside.ts';
import { APPS } from '../apps.ts';

/** One project of docker-compose.yml, as a person has it at the terminal. */
export interface ComposeProject {
  readonly name: string;
  /** Runs `docker compose …` to its end. */
  run(...argv: readonly string[]): Promise<CommandResult>;
  /** The same; throws an error with the end of what it printed where it failed. */
  must(...argv: readonly string[]): Promise<string>;
}

const CHECKOUT = dirname(APPS);
const TOLD_BYTES = 2000;

/** Compose v2 where there is one, else docker-compose; undefined where there is neither. */
export function findCompose(): readonly string[] | undefined {
  const candidates = [['docker', 'compose'], ['docker-compose']];
  return candidates.find(
    ([program = '', ...argv]) => spawnSync(program, [...argv, 'version'], { stdio: 'ignore' }).status === 0,
  );
}

/** `settings` are the variables that docker-compose.yml takes. */
export function composeProject(name: string, settings: Readonly<Record<string, string>>): ComposeProject {
  const [program = '', ...before] = findCompose() ?? [];
  if (program === '') throw new Error('neither `docker compose` nor docker-compose is on this machine');
  const env = {
    ...process.env,
    ...settings,
    COMPOSE_PROJECT_NAME: name,
    COMPOSE_ANSI: 'never',
    COMPOSE_PROGRESS: 'plain',
  };
  const run: ComposeProject['run'] = async (...argv) => {
    const child = spawn(program, [...before, ...argv], { cwd: CHECKOUT, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const [out, err]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    const [code] = (await once(child, 'close')) as [number | null];
    return { code: code ?? 1, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() };
  };
  return {
    name,
    run,
    async must(...argv) {
      const { code, stdout, stderr } = await run(...argv);
      if (code === 0) return stdout;
      throw new Error(`docker compose ${argv.join(' ')} ended with ${code}:\n${(stdout + stderr).slice(-TOLD_BYTES)}`);
    },
  };
}
