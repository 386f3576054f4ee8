import { isUuid, TroveError } from '@trove/common';
import type { Image } from '../driver.ts';

/** An image as the configuration names it. */
export interface DockerImage extends Image {
  /** As engines know it: `trove-guest-mariadb:10.11`, or with a digest. */
  readonly reference: string;
}

/** Of `{ uuid: '<manager> <version> <reference>' }`. `CONFIG_INVALID` names a line that is something else. */
export function dockerImages(named: Readonly<Record<string, string>>): readonly DockerImage[] {
  return Object.entries(named).map(([id, text]) => {
    const [manager, version, reference, ...more] = text.split(/\s+/).filter((word) => word !== '');
    if (!isUuid(id)) throw invalid(id, 'the name must be image.<uuid>');
    if (manager === undefined || version === undefined || reference === undefined || more.length > 0)
      throw invalid(id, '<manager> <version> <image reference> is expected');
    return { id, name: reference, manager, version, reference };
  });
}

function invalid(id: string, why: string): TroveError {
  return new TroveError('CONFIG_INVALID', `[compute_docker] image.${id}: ${why}`);
}
