import { hostname } from 'node:os';
import type { Logger } from '@trove/common';
import { type AgentRunner, flavorsFileOf, type Housing, houseGuests, LocalCompute } from '@trove/compute';
import { findInstallations, inspectFolder } from '@trove/datastores';
import type { TaskmanagerConfig } from '@trove/taskmanager';

export interface HousedCompute {
  readonly compute: LocalCompute;
  /** Where guests live; its notices belong into the first line of output. */
  readonly housing: Housing;
}

/**
 * Local compute as `[compute_local]` and `host` say, where the guests' account can reach it, with agents that live as
 * `makeRunner` makes them.
 */
export function openLocalCompute(
  config: Pick<TaskmanagerConfig, 'compute_local'> & { readonly DEFAULT: Pick<TaskmanagerConfig['DEFAULT'], 'host'> },
  makeRunner: (housing: Housing) => AgentRunner,
  logger: Logger,
): HousedCompute {
  const { root, network, flavors_file, image, user } = config.compute_local;
  const { host } = config.DEFAULT;
  const housing = houseGuests({ root, user });
  const compute = new LocalCompute({
    root: housing.root,
    network,
    flavorsFile: flavorsFileOf({ root, flavorsFile: flavors_file }),
    namedImages: image,
    // 0.0.0.0, Trove's default, names no host: servers belong to the machine then.
    host: host === '0.0.0.0' ? hostname() : host,
    installations: { find: findInstallations, inspect: inspectFolder },
    account: housing.account,
    reachable: housing.reachable,
    runner: makeRunner(housing),
    logger,
  });
  return { compute, housing };
}
