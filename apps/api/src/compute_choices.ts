import { localChoices } from '@trove/compute';
import { findInstallations, inspectFolder } from '@trove/datastores';
import type { ComputeCatalog } from './deps.ts';
import type { ApiConfig } from './options.ts';

type ComputeConfig = {
  readonly compute_local: Pick<ApiConfig['compute_local'], 'root' | 'flavors_file' | 'image'>;
};

/** The flavors and images of the compute driver that the configuration names, without opening it. */
export function computeChoices({ compute_local: local }: ComputeConfig): ComputeCatalog {
  return localChoices({
    root: local.root,
    flavorsFile: local.flavors_file,
    namedImages: local.image,
    installations: { find: findInstallations, inspect: inspectFolder },
  });
}
