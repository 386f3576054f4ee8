// Stands in for the package in services: local compute whose calls fail as a cloud's do, and whose guests run as we do, from
// the run's own program.
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TroveError } from '@trove/common';
import {
  type AgentRunner,
  createDetachedAgentRunner as createRunner,
  type Housing,
  type HousingOptions,
  type LocalComputeOptions,
  LocalCompute as RealLocalCompute,
} from '@trove/compute';
import { oneOf } from '@trove/testkit/random';
import { ownPart } from './own_part.ts';
import { agentProgram, readTroubles } from './run_folder.ts';

export * from '@trove/compute';

const { folder: FOLDER, random: randomOf } = ownPart();
const random = randomOf('compute');
const ANSWERS_AT_LAST_MS = 120_000;
const OWN: readonly string[] = ['flavors', 'images', 'hosts', 'adoptAll', 'close', 'managersOnLoopbackPorts', 'paths'];
/** These ask a list by a token, and a cloud's lists lag behind; what is asked by its id is there once it was made. */
const LISTING: readonly string[] = ['findVolume', 'findServers', 'findSnapshot'];

export function houseGuests({ root }: HousingOptions): Housing {
  return { account: undefined, root: resolve(root), reachable: (path) => path, notices: [] };
}

export function createDetachedAgentRunner(): AgentRunner {
  return createRunner({ program: agentProgram(FOLDER) });
}

export class LocalCompute extends RealLocalCompute {
  constructor(options: LocalComputeOptions) {
    super({ ...options, restartMs: 500 });
    return new Proxy<LocalCompute>(this, {
      get(object, name): unknown {
        const member: unknown = Reflect.get(object, name, object);
        if (typeof member !== 'function' || typeof name !== 'string') return member;
        // Bound to the object itself: a method may use what is private to it.
        const method = member.bind(object) as Call;
        if (OWN.includes(name)) return method;
        if (LISTING.includes(name)) return (...args: unknown[]) => behind(name, args, method);
        return isChange(name) ? (...args: unknown[]) => trouble(args, method) : method;
      },
    });
  }
}

type Call = (...args: unknown[]) => Promise<unknown>;

function isChange(name: string): boolean {
  return !/^(get|list|injectedFiles|volumeSize)/.test(name);
}

function isStruck(): boolean {
  return random() < readTroubles(FOLDER).compute;
}

const failed = (what: string, retryable = true): TroveError => new TroveError('COMPUTE_ERROR', what, { retryable });

const WAYS: Readonly<Record<string, (call: () => Promise<unknown>) => Promise<unknown>>> = {
  async refusedForGood() {
    throw failed('Compute refuses.', false);
  },
  async doesNotAnswer() {
    throw failed('Compute does not answer.');
  },
  async conflict() {
    throw failed('409: not in the state that it is in.');
  },
  async errorAfterSuccess(call) {
    await call();
    throw failed('500: no answer came.');
  },
  async conflictAfterSuccess(call) {
    await call();
    throw failed('409: it is there already.');
  },
  async timeoutAfterSuccess(call) {
    const answer = await call();
    await delay(ANSWERS_AT_LAST_MS);
    return answer;
  },
  /** As through a proxy that asks again by itself: whichever ends first is the answer. */
  async askedTwice(call) {
    return await Promise.any([call(), call()]);
  },
};
/** Where a request is refused for good, a task rightly fails: seldom. */
const CHOICE = [...Object.keys(WAYS), ...Object.keys(WAYS).filter((way) => way !== 'refusedForGood')];

async function trouble(args: unknown[], method: Call): Promise<unknown> {
  const call = (): Promise<unknown> => method(...args);
  if (!isStruck()) return await call();
  const way = WAYS[oneOf(random, CHOICE)];
  return way === undefined ? await call() : await way(call);
}

/** As a list that does not yet show what was made a moment ago. */
async function behind(name: string, args: unknown[], method: Call): Promise<unknown> {
  if (!isStruck()) return await method(...args);
  return name === 'findServers' ? [] : undefined;
}
