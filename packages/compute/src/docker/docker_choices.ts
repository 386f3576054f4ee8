import type { ComputeDriver } from '../driver.ts';
import { flavorsOf } from '../local/flavors.ts';
import { dockerImages } from './docker_images.ts';

export interface DockerChoicesOptions {
  /** `[compute_docker] flavors_file` */
  readonly flavorsFile: string;
  /** `[compute_docker] image.<uuid>` */
  readonly images: Readonly<Record<string, string>>;
}

/** What there is to choose from, for a service that makes no servers: it reads the configuration, and asks no engine. */
export function dockerChoices({
  flavorsFile,
  images,
}: DockerChoicesOptions): Pick<ComputeDriver, 'flavors' | 'images'> {
  const known = dockerImages(images).map(({ id, name, manager, version }) => ({ id, name, manager, version }));
  return {
    flavors: async () => flavorsOf(flavorsFile),
    images: async () => known,
  };
}
