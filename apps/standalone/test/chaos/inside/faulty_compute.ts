// Stands in for the package in services: local compute whose calls fail as a cloud's do, and whose guests run as we do, from
// the run's own program.
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { randomFraction, TroveError } from '@trove/common';
import {
  type AgentRunner,
  createDetachedAgentRunner as createRunner,
  type Housing,
  type HousingOptions,
  type LocalComputeOptions,
  LocalCompute as RealLocalCompute,
} from '@trove/compute';
import { type Boundary, withBoundaries } from '@trove/testkit';
import { agentProgram, readTroubles } from './run_folder.ts';

export * from '@trove/compute';

const FOLDER = process.env['CHAOS_FOLDER'] ?? '';
/** Of the faults, how many each way; what is left hangs until the caller gives up. */
const SHARE_REFUSED = 0.1;
const SHARE_WITHOUT_ANSWER = 0.85;
const ANSWERS_AT_LAST_MS = 120_000;
const READING: readonly string[] = [
  'flavors',
  'images',
  'hosts',
  'adoptAll',
  'close',
  'managersOnLoopbackPorts',
  'paths',
];

export function houseGuests({ root }: HousingOptions): Housing {
  return { account: undefined, root: resolve(root), reachable: (path) => path, notices: [] };
}

export function createDetachedAgentRunner(): AgentRunner {
  return createRunner({ program: agentProgram(FOLDER) });
}

export class LocalCompute extends RealLocalCompute {
  constructor(options: LocalComputeOptions) {
    super({ ...options, restartMs: 500 });
    const changing = methodsOf(this).filter((name) => !READING.includes(name) && !/^(find|get|list)/.test(name));
    return withBoundaries<LocalCompute>(this, trouble, changing);
  }
}

function methodsOf(compute: RealLocalCompute): string[] {
  const names = Object.getOwnPropertyNames(RealLocalCompute.prototype);
  return names.filter((name) => name !== 'constructor' && typeof Reflect.get(compute, name) === 'function');
}

/** Before a call: refused for good, or for now. After it: done, and the caller is not told, or only much later. */
async function trouble({ at }: Boundary): Promise<void> {
  if (randomFraction() >= readTroubles(FOLDER).compute / 2) return;
  const chance = randomFraction();
  if (at === 'before') {
    const retryable = chance >= SHARE_REFUSED;
    throw new TroveError('COMPUTE_ERROR', retryable ? 'Compute does not answer.' : 'Compute refuses.', { retryable });
  }
  if (chance < SHARE_WITHOUT_ANSWER) throw new TroveError('COMPUTE_ERROR', 'No answer came.', { retryable: true });
  await delay(ANSWERS_AT_LAST_MS);
}
