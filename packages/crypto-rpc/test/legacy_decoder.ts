import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

/**
 * Trove's v1 and oslo.messaging's envelope, written from their description alone and sharing nothing with `src/`: the
 * other side of what ours writes.
 */
export interface LegacyMessage {
  readonly [name: string]: unknown;
}

/** A member that must be text. */
export function textOf(message: LegacyMessage, name: string): string {
  const value = message[name];
  if (typeof value !== 'string') throw new Error(`${name} is no text`);
  return value;
}

export function openEnvelope(body: Buffer): LegacyMessage {
  const envelope = JSON.parse(body.toString('ascii'));
  if (envelope['oslo.version'] !== '2.0') throw new Error('another version');
  return JSON.parse(envelope['oslo.message']);
}

export function makeEnvelope(message: LegacyMessage): Buffer {
  return Buffer.from(JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': JSON.stringify(message) }));
}

function aesKey(key: string): Buffer {
  return Buffer.from(createHash('md5').update(key).digest('hex'), 'ascii');
}

export function decryptText(base64: string, key: string): string {
  const bytes = Buffer.from(base64, 'base64');
  const decipher = createDecipheriv('aes-256-cbc', aesKey(key), bytes.subarray(0, 16));
  decipher.setAutoPadding(false);
  const padded = Buffer.concat([decipher.update(bytes.subarray(16)), decipher.final()]);
  const fill = padded[padded.length - 1] ?? 0;
  if (fill < 1 || fill > 16 || padded.subarray(padded.length - fill).some((byte) => byte !== fill))
    throw new Error('padding');
  return padded.subarray(0, padded.length - fill).toString('utf8');
}

export function encryptText(text: string, key: string): string {
  const iv = randomBytes(16);
  const plain = Buffer.from(text);
  const fill = 16 - (plain.length % 16);
  const cipher = createCipheriv('aes-256-cbc', aesKey(key), iv);
  cipher.setAutoPadding(false);
  const padded = Buffer.concat([plain, Buffer.alloc(fill, fill)]);
  return Buffer.concat([iv, cipher.update(padded), cipher.final()]).toString('base64');
}

/** What a v1 guest sends to the conductor. */
export function sealedReport(
  method: string,
  args: LegacyMessage,
  instanceId: string,
  key: string,
  uniqueId: string,
): Buffer {
  const entity = (value: unknown): string =>
    JSON.stringify({ entity: encryptText(JSON.stringify(value), key), 'csz-instance-id': instanceId });
  return makeEnvelope({
    method,
    args: Object.fromEntries(Object.entries(args).map(([name, value]) => [name, entity(value)])),
    version: '1.0',
    _unique_id: uniqueId,
    _context_context: encryptText(JSON.stringify({ request_id: 'req-1' }), key),
    '_context_csz-instance-id': instanceId,
  });
}
