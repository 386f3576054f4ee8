import { createDecipheriv, hkdfSync } from 'node:crypto';

/**
 * Opens `instances.encrypted_key` from its description alone, without the code that sealed it:
 * `v2.<kek id>.<key version>.<salt>.<ciphertext and tag>` under HKDF-SHA256(KEK, salt, "trove-rest-v2", 44).
 * A value that does not open gives a sentence saying so.
 */
export function openEncryptedKey(value: string, keyEncryptionKey: string, instanceId: string, policy: number): string {
  const [format, , version = '', salt = '', sealed = ''] = value.split('.');
  if (format !== 'v2') return 'not of the form v2';
  const okm = Buffer.from(hkdfSync('sha256', keyEncryptionKey, Buffer.from(salt, 'base64url'), 'trove-rest-v2', 44));
  const bytes = Buffer.from(sealed, 'base64url');
  const decipher = createDecipheriv('aes-256-gcm', okm.subarray(0, 32), okm.subarray(32), { authTagLength: 16 });
  decipher.setAAD(Buffer.from(`trove|instances|encrypted_key|${instanceId}|${version}|${policy}`));
  decipher.setAuthTag(bytes.subarray(-16));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()]).toString('utf8');
  } catch {
    return 'does not open';
  }
}
