import { hostname } from 'node:os';
import type { Logger } from '@trove/common';
import { type AgentRunner, guestAccount, LocalCompute } from '@trove/compute';
import { findInstallations, inspectFolder } from '@trove/datastores';
import type { TaskmanagerConfig } from '@trove/taskmanager';

/** Local compute as `[compute_local]` and `host` say, with agents that live as `runner` makes them. */
export function openLocalCompute(
  config: Pick<TaskmanagerConfig, 'compute_local'> & { readonly DEFAULT: Pick<TaskmanagerConfig['DEFAULT'], 'host'> },
  runner: AgentRunner,
  logger: Logger,
): LocalCompute {
  const { root, network, flavors_file, image, user } = config.compute_local;
  const { host } = config.DEFAULT;
  return new LocalCompute({
    root,
    network,
    flavorsFile: flavors_file,
    namedImages: image,
    // 0.0.0.0, Trove's default, names no host: servers belong to the machine then.
    host: host === '0.0.0.0' ? hostname() : host,
    installations: { find: findInstallations, inspect: inspectFolder },
    account: guestAccount(user),
    runner,
    logger,
  });
}
