import { requireChoice } from '@trove/common';
import { localChoices } from '@trove/compute';
import { findInstallations, inspectFolder } from '@trove/datastores';
import type { ComputeCatalog } from './deps.ts';
import type { ApiConfig } from './options.ts';

type ComputeConfig = {
  readonly DEFAULT: Pick<ApiConfig['DEFAULT'], 'compute_driver'>;
  readonly compute_local: Pick<ApiConfig['compute_local'], 'root' | 'flavors_file' | 'image'>;
};

/** The flavors and images of the compute driver that the configuration names, without opening it. Throws `CONFIG_INVALID`. */
export function computeChoices({ DEFAULT: defaults, compute_local: local }: ComputeConfig): ComputeCatalog {
  requireChoice('compute_driver', defaults.compute_driver, 'local');
  return localChoices({
    root: local.root,
    flavorsFile: local.flavors_file,
    namedImages: local.image,
    installations: { find: findInstallations, inspect: inspectFolder },
  });
}
