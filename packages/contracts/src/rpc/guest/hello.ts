import { Type } from 'typebox';
import { defineMethod } from '../method.ts';

/**
 * The one root of freshness: the taskmanager asks a guest who it is now. The only request whose header carries a zero
 * boot nonce. A guest that holds `stored_boot_nonce` but is behind `stored_sequence` (a resumed snapshot) takes a new
 * nonce before it answers. `boot_nonce`: 32 hex digits; `sequence`: decimal text; `kcv`: 12 hex digits.
 */
export const hello = defineMethod({
  name: 'hello',
  args: Type.Object(
    {
      stored_boot_nonce: Type.Union([Type.String({ pattern: '^[0-9a-f]{32}$' }), Type.Null()]),
      stored_sequence: Type.Union([Type.String({ pattern: '^[0-9]{1,20}$' }), Type.Null()]),
    },
    { additionalProperties: false },
  ),
  result: Type.Object(
    {
      boot_nonce: Type.String({ pattern: '^[0-9a-f]{32}$' }),
      sequence: Type.String({ pattern: '^[0-9]{1,20}$' }),
      kcv: Type.String({ pattern: '^[0-9a-f]{12}$' }),
    },
    { additionalProperties: false },
  ),
});
