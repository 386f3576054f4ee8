import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { APPS } from '../../../src/demo/stack/apps.ts';
import { keepEffectsIn } from './effects.ts';
import { obeyFullDisks } from './full_disks.ts';
import { readTroubles } from './run_folder.ts';
import { shiftClock } from './shift_clock.ts';
import { swapPackages } from './swap_packages.ts';

/** The agent's own program, over a light database, with what it does written down. */
export async function runAgent(folder: string, seed: number): Promise<void> {
  Object.assign(process.env, { CHAOS_FOLDER: folder, CHAOS_SEED: String(seed) });
  enableCompileCache(join(folder, 'compiled'));
  shiftClock(readTroubles(folder).guestClockMs);
  keepEffectsIn(folder);
  obeyFullDisks(folder);
  swapPackages({
    '@trove/datastores': new URL('light_datastores.ts', import.meta.url).href,
    '@trove/crypto-rpc': new URL('counted_rpc.ts', import.meta.url).href,
  });
  await import(pathToFileURL(join(APPS, 'guestagent', 'src', 'main.ts')).href);
}
