import { type Static, Type } from 'typebox';
import { Links } from './common.ts';

/** `ram` in MB, `disk` and `ephemeral` in GB. `id` is a number only where the id is all digits and does not begin with 0. */
export const Flavor = Type.Object({
  id: Type.Unsafe<number | null>({ type: ['integer', 'null'] }),
  str_id: Type.String(),
  name: Type.String(),
  ram: Type.Integer(),
  vcpus: Type.Integer(),
  disk: Type.Integer(),
  ephemeral: Type.Integer(),
  links: Links,
});
export type Flavor = Static<typeof Flavor>;

export const FlavorListBody = Type.Object({ flavors: Type.Array(Flavor) });
export const FlavorBody = Type.Object({ flavor: Flavor });
