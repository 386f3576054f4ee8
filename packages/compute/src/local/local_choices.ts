import { join } from 'node:path';
import type { ComputeDriver, Flavor, Image } from '../driver.ts';
import { flavorsOf } from './flavors.ts';
import { type InstallationSource, type LocalImage, listLocalImages } from './images.ts';

export interface LocalChoicesOptions {
  /** `[compute_local] root`, as the operator wrote it. */
  readonly root: string;
  /** `[compute_local] flavors_file`; default `<root>/flavors.json`. */
  readonly flavorsFile?: string | undefined;
  /** `[compute_local] image.<uuid>` */
  readonly namedImages?: Readonly<Record<string, string>>;
  readonly installations: InstallationSource;
}

/** Where the flavors are: beside the state as the operator named it, wherever guests have to live. */
export function flavorsFileOf(options: Pick<LocalChoicesOptions, 'root' | 'flavorsFile'>): string {
  return options.flavorsFile ?? join(options.root, 'flavors.json');
}

/** What there is to choose from, for a service that makes no servers: it reads, and neither makes nor locks anything. */
export function localChoices(options: LocalChoicesOptions): Pick<ComputeDriver, 'flavors' | 'images'> {
  const flavorsFile = flavorsFileOf(options);
  let found: Promise<readonly LocalImage[]> | undefined;
  return {
    flavors: async (): Promise<readonly Flavor[]> => flavorsOf(flavorsFile),
    images: async (): Promise<readonly Image[]> => {
      found ??= listLocalImages(options.installations, options.namedImages ?? {}, (path) => path);
      try {
        return (await found).map(({ id, name, manager, version }) => ({ id, name, manager, version }));
      } catch (error) {
        found = undefined;
        throw error;
      }
    },
  };
}
