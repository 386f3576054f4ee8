import type { Flavor as ComputeFlavor } from '@trove/compute';
import type { Flavor } from '@trove/contracts';
import type { FastifyRequest } from 'fastify';
import { linksOf } from '../links.ts';

export function flavorView(request: FastifyRequest, flavor: ComputeFlavor): Flavor {
  return {
    id: numberOf(flavor.id),
    str_id: flavor.id,
    name: flavor.name,
    ram: flavor.ram,
    vcpus: flavor.vcpus,
    disk: flavor.disk,
    ephemeral: flavor.ephemeral,
    links: linksOf(request, 'flavors', flavor.id),
  };
}

/** Old clients compare numbers: an id of digits alone that does not begin with 0 is one, others have none. */
function numberOf(id: string): number | null {
  return /^[1-9]\d{0,14}$/.test(id) ? Number(id) : null;
}
