import { mkdirSync } from 'node:fs';
import { relative } from 'node:path';
import { isSystemError, isTroveError, runService, TroveError } from '@trove/common';
import { findHome, type Home, prepareHome } from './home/home.ts';
import { lockHome } from './home/home_lock.ts';
import { standaloneOptions, startStandalone } from './standalone.ts';

const argv = process.argv.slice(2);
const home = findHome(process.env);

try {
  await run(argv.includes('--help') ? () => undefined : takeHome(home));
} catch (error) {
  if (!isTroveError(error, 'CONFIG_INVALID')) throw error;
  process.stderr.write(`trove-standalone: ${error.message}\n`);
  process.exitCode = 1;
}

async function run(release: () => void): Promise<void> {
  await runService(
    {
      name: 'trove-standalone',
      options: standaloneOptions,
      async start(config, { logger, metrics }) {
        const say = (line: string) => process.stdout.write(`${line}\n`);
        const standalone = await startStandalone({ home, config, logger, metrics, say });
        return {
          health: standalone.health,
          readyText: `on ${standalone.address}\n${whatNext(home)}`,
          async close() {
            await standalone.close();
            release();
          },
        };
      },
    },
    ['--config-file', home.configFile, '--config-file', home.keysFile, ...argv],
  );
}

/** Holds the home for this process and makes what it lacks; returns how to let go of it. */
function takeHome(place: Home): () => void {
  try {
    return take(place);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    const how = 'Set TROVE_HOME to a folder that this account can write in.';
    throw new TroveError('CONFIG_INVALID', `${place.folder} cannot be used: ${error.message}.\n  ${how}`);
  }
}

function take(place: Home): () => void {
  mkdirSync(place.folder, { recursive: true, mode: 0o711 });
  const lock = lockHome(place.lockFile);
  if ('holder' in lock) {
    const held = `${place.folder} is held by process ${lock.holder.pid}`;
    throw new TroveError('CONFIG_INVALID', `${held}: stop that one first, or set TROVE_HOME to another folder.`);
  }
  prepareHome(place);
  return () => lock.release();
}

function whatNext(place: Home): string {
  const elsewhere = relative(process.cwd(), place.folder) === '.trove' ? '' : `TROVE_HOME=${place.folder} `;
  return `
Try, in another terminal:
  ${elsewhere}npx trove flavor-list
  ${elsewhere}npx trove create db1 1 --size 1 --wait
  ${elsewhere}npx trove database-create db1 shop
  ${elsewhere}npx trove database-list db1
  ${elsewhere}npx trove --help
Ctrl-C stops everything; the next start goes on from here.
`;
}
