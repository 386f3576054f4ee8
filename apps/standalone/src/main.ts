import { mkdirSync } from 'node:fs';
import { relative } from 'node:path';
import { runService } from '@trove/common';
import { findHome, type Home, prepareHome } from './home/home.ts';
import { lockHome } from './home/home_lock.ts';
import { standaloneOptions, startStandalone } from './standalone.ts';

const argv = process.argv.slice(2);
const home = findHome(process.env);
const held = argv.includes('--help') ? { release: () => undefined } : takeHome(home);

if ('holder' in held) {
  process.stderr.write(
    `trove-standalone: ${home.folder} is held by process ${held.holder.pid}: stop that one first, or set TROVE_HOME to another folder.\n`,
  );
  process.exitCode = 1;
} else {
  await runService(
    {
      name: 'trove-standalone',
      options: standaloneOptions,
      async start(config, { logger, metrics }) {
        const standalone = await startStandalone({
          home,
          config,
          logger,
          metrics,
          say: (line) => process.stdout.write(`${line}\n`),
        });
        return {
          health: standalone.health,
          readyText: `on ${standalone.address}\n${whatNext(home)}`,
          async close() {
            await standalone.close();
            held.release();
          },
        };
      },
    },
    ['--config-file', home.configFile, '--config-file', home.keysFile, ...argv],
  );
}

function takeHome(place: Home): ReturnType<typeof lockHome> {
  mkdirSync(place.folder, { recursive: true, mode: 0o711 });
  const lock = lockHome(place.lockFile);
  if ('holder' in lock) return lock;
  prepareHome(place);
  return lock;
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
