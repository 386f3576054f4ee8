import { isUuid, TroveError, uuidV5 } from '@trove/common';
import type { Image } from '../driver.ts';

/** A database server on this machine, as the datastores find it. */
export interface LocalInstallation {
  readonly manager: string;
  readonly version: string;
  /** The folder with its programs. */
  readonly binDir: string;
  /** The port that its clients expect. */
  readonly port: number;
}

export interface LocalImage extends Image {
  readonly binDir: string;
  readonly port: number;
}

/** How the app hands over what its datastores know; compute knows no datastore. */
export interface InstallationSource {
  find(): Promise<readonly LocalInstallation[]>;
  /** The installation in a folder that the operator named; undefined where there is none. */
  inspect(folder: string): Promise<LocalInstallation | undefined>;
}

const NAMESPACE = '0f6f3c2e-5d0c-5b8e-9c77-3c1f5c1f8b6a';

/** The same server, found anew or on another machine, is the same image. */
function imageIdOf(installation: LocalInstallation): string {
  return uuidV5(NAMESPACE, `${installation.manager} ${installation.version}`);
}

/**
 * One image per server found, the first of each manager and version, and those that the operator named: `{ uuid: folder }`.
 * `reachable` gives the path by which guests get to a program.
 * `CONFIG_INVALID` where a named id is no UUID or its folder holds no server.
 */
export async function listLocalImages(
  source: InstallationSource,
  named: Readonly<Record<string, string>>,
  reachable: (path: string) => string,
): Promise<readonly LocalImage[]> {
  const images = new Map<string, LocalImage>();
  for (const installation of await source.find()) {
    const id = imageIdOf(installation);
    if (!images.has(id)) images.set(id, toImage(id, installation, reachable));
  }
  for (const [id, folder] of Object.entries(named)) {
    const installation = await source.inspect(folder);
    if (!isUuid(id))
      throw new TroveError('CONFIG_INVALID', `[compute_local] image.${id}: the name must be image.<uuid>.`);
    if (installation === undefined)
      throw new TroveError('CONFIG_INVALID', `[compute_local] image.${id}: no database server was found in ${folder}.`);
    images.set(id, toImage(id, installation, reachable));
  }
  return [...images.values()];
}

function toImage(id: string, found: LocalInstallation, reachable: (path: string) => string): LocalImage {
  const { manager, version, port } = found;
  return { id, name: `${manager}-${version}`, manager, version, binDir: reachable(found.binDir), port };
}
