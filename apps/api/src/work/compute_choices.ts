import { type Clock, systemClock, TroveError } from '@trove/common';
import type { Flavor, Image } from '@trove/compute';
import type { ComputeCatalog } from '../deps.ts';

const KEPT_MS = 5000;

/** Flavors and images, asked for once in a while and again before an id is called unknown. */
export interface ComputeChoices {
  flavors(): Promise<readonly Flavor[]>;
  /** Rejects with `FLAVOR_NOT_FOUND`. */
  flavor(id: string): Promise<Flavor>;
  /** Rejects with `IMAGE_NOT_FOUND`: the compute driver cannot make a server of this image. */
  image(id: string | null): Promise<Image>;
}

export function createComputeChoices(compute: ComputeCatalog, clock: Clock = systemClock): ComputeChoices {
  const flavors = keep(() => compute.flavors(), clock);
  const images = keep(() => compute.images(), clock);
  return {
    flavors: () => flavors(false),
    flavor: async (id) => {
      const found = await find(flavors, id);
      if (!found) throw new TroveError('FLAVOR_NOT_FOUND', `Flavor ${id} cannot be found.`);
      return found;
    },
    image: async (id) => {
      const found = id === null ? undefined : await find(images, id);
      if (!found) throw new TroveError('IMAGE_NOT_FOUND', `Image ${id ?? 'of the datastore version'} cannot be found.`);
      return found;
    },
  };
}

type Kept<T> = (fresh: boolean) => Promise<readonly T[]>;

function keep<T>(ask: () => Promise<readonly T[]>, clock: Clock): Kept<T> {
  let answer: Promise<readonly T[]> | undefined;
  let until = 0;
  return (fresh) => {
    if (answer === undefined || fresh || clock.monotonic() > until) {
      until = clock.monotonic() + KEPT_MS;
      answer = ask();
      // A failure is not kept: the next request asks again.
      answer.catch(() => {
        answer = undefined;
      });
    }
    return answer;
  };
}

async function find<T extends { id: string }>(kept: Kept<T>, id: string): Promise<T | undefined> {
  const known = (await kept(false)).find((item) => item.id === id);
  return known ?? (await kept(true)).find((item) => item.id === id);
}
