import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Logger } from '@trove/common';
import {
  type AgentRunner,
  createDetachedAgentRunner,
  flavorsFileOf,
  type Housing,
  houseGuests,
  LocalCompute,
} from '@trove/compute';
import { findInstallations, inspectFolder } from '@trove/datastores';
import type { TaskmanagerConfig } from './options.ts';

export interface HousedCompute {
  readonly compute: LocalCompute;
  /** Where guests live; its notices are for the operator to read. */
  readonly housing: Housing;
}

type LocalComputeConfig = Pick<TaskmanagerConfig, 'compute_local'> & {
  readonly DEFAULT: Pick<TaskmanagerConfig['DEFAULT'], 'compute_driver' | 'host'>;
};

const AGENT = fileURLToPath(new URL('../../guestagent/bin/trove-guestagent.js', import.meta.url));

/**
 * Local compute as `[compute_local]` and `host` say, where the guests' account can reach it, with agents that live as
 * `makeRunner` makes them.
 */
export function openLocalCompute(
  config: LocalComputeConfig,
  makeRunner: (housing: Housing) => AgentRunner,
  logger: Logger,
): HousedCompute {
  const { root, network, flavors_file, image, user } = config.compute_local;
  const housing = houseGuests({ root, user });
  const compute = new LocalCompute({
    root: housing.root,
    network,
    flavorsFile: flavorsFileOf({ root, flavorsFile: flavors_file }),
    namedImages: image,
    host: hostNameOf(config.DEFAULT.host),
    installations: { find: findInstallations, inspect: inspectFolder },
    account: housing.account,
    reachable: housing.reachable,
    runner: makeRunner(housing),
    logger,
  });
  return { compute, housing };
}

/** Agents as processes of their own, from a program and a Node that their account can reach. */
export function detachedAgents({ reachable }: Housing): AgentRunner {
  return createDetachedAgentRunner({ program: reachable(AGENT), node: reachable(process.execPath) });
}

/** 0.0.0.0, Trove's default, names no host: servers belong to the machine then. */
export function hostNameOf(host: string): string {
  return host === '0.0.0.0' ? hostname() : host;
}
