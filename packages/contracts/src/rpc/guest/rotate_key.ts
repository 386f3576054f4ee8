import { Type } from 'typebox';
import { defineMethod } from '../method.ts';

/** An X25519 public key: 64 hex digits. */
const PublicKey = Type.String({ pattern: '^[0-9a-f]{64}$' });

/**
 * Agrees on the instance's next key (ours, v2 only), under its active one and no other. The key itself is never sent: both
 * sides derive it. The guest keeps it, pending, before it answers; a `hello` under the new version makes it the guest's.
 * `version`: above the active one. `kcv`: 12 hex digits, of the new key.
 */
export const rotate_key = defineMethod({
  name: 'rotate_key',
  fenced: true,
  args: Type.Object(
    { version: Type.Integer({ minimum: 1, maximum: 0xffff_ffff }), public: PublicKey },
    { additionalProperties: false },
  ),
  result: Type.Object(
    { public: PublicKey, kcv: Type.String({ pattern: '^[0-9a-f]{12}$' }) },
    { additionalProperties: false },
  ),
});
