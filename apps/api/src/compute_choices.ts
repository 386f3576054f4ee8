import { dockerChoices, localChoices } from '@trove/compute';
import { findInstallations, inspectFolder } from '@trove/datastores';
import type { ComputeCatalog } from './deps.ts';
import type { ApiConfig } from './options.ts';

type ComputeConfig = {
  readonly DEFAULT: Pick<ApiConfig['DEFAULT'], 'compute_driver'>;
  readonly compute_local: Pick<ApiConfig['compute_local'], 'root' | 'flavors_file' | 'image'>;
  readonly compute_docker: Pick<ApiConfig['compute_docker'], 'flavors_file' | 'image'>;
};

/** The flavors and images of the compute driver that the configuration names, without opening it. */
export function computeChoices({
  DEFAULT,
  compute_local: local,
  compute_docker: docker,
}: ComputeConfig): ComputeCatalog {
  if (DEFAULT.compute_driver === 'docker')
    return dockerChoices({ flavorsFile: docker.flavors_file, images: docker.image });
  return localChoices({
    root: local.root,
    flavorsFile: local.flavors_file,
    namedImages: local.image,
    installations: { find: findInstallations, inspect: inspectFolder },
  });
}
