import { createDecipheriv, createHmac } from 'node:crypto';

/**
 * A reader of v2 envelopes written from `docs/wire-format.md` alone: it shares no code with `src/`, has its own HKDF, and
 * checks only what the text says must be checked before a plaintext is believed.
 */
export interface Opened {
  readonly kind: number;
  readonly keyVersion: number;
  readonly sender: string;
  readonly receiver: string;
  readonly messageId: string;
  readonly requestId: string;
  readonly requestHash: string;
  readonly bootNonce: string;
  readonly sequence: string;
  readonly issued: number;
  readonly expires: number;
  readonly plaintext: string;
}

function mac(key: Buffer, data: Buffer): Buffer {
  return createHmac('sha256', key).update(data).digest();
}

/** RFC 5869. */
function hkdf(ikm: Buffer, salt: Buffer, info: Buffer, length: number): Buffer {
  const extracted = mac(salt.length === 0 ? Buffer.alloc(32) : salt, ikm);
  let block: Buffer = Buffer.alloc(0);
  let out: Buffer = Buffer.alloc(0);
  for (let counter = 1; out.length < length; counter += 1) {
    block = mac(extracted, Buffer.concat([block, info, Buffer.from([counter])]));
    out = Buffer.concat([out, block]);
  }
  return out.subarray(0, length);
}

/** Kup, Kdn or Kc. */
export function rootKey(key: string, purpose: 'uplink' | 'downlink' | 'control'): Buffer {
  return hkdf(Buffer.from(key), Buffer.from('trove-rpc-v2'), Buffer.from(purpose), 32);
}

export function openEnvelope(envelope: Buffer, root: Buffer): Opened {
  const field = (at: number, length: number): Buffer => envelope.subarray(at, at + length);
  if (
    field(0, 8)
      .toString('hex')
      .replace(/..(..)$/, '--$1') !== '545256320201--00'
  )
    throw new Error('not an envelope');
  const length = envelope.readUInt32BE(206);
  if (envelope.length !== 210 + length + 16) throw new Error('length');
  const sender = field(12, 17);
  const receiver = field(29, 17);
  const info = Buffer.concat([Buffer.from('direction'), sender, receiver]);
  const direction = hkdf(root, Buffer.from('trove-rpc-v2'), info, 32);
  const keys = hkdf(direction, field(130, 32), Buffer.from('session'), 96);
  if (!keys.subarray(64).equals(field(162, 32))) throw new Error('commitment');
  const decipher = createDecipheriv('aes-256-gcm', keys.subarray(0, 32), field(194, 12), { authTagLength: 16 });
  decipher.setAAD(field(0, 210));
  decipher.setAuthTag(field(210 + length, 16));
  const plaintext = Buffer.concat([decipher.update(field(210, length)), decipher.final()]);
  const nonce = mac(keys.subarray(32, 64), Buffer.concat([field(0, 194), field(206, 4), plaintext])).subarray(0, 12);
  if (!nonce.equals(field(194, 12))) throw new Error('not the nonce of this plaintext');
  const hex = (at: number, size: number): string => field(at, size).toString('hex');
  return {
    kind: envelope[6] ?? 0,
    keyVersion: envelope.readUInt32BE(8),
    sender: sender.toString('hex'),
    receiver: receiver.toString('hex'),
    messageId: hex(46, 16),
    requestId: hex(62, 16),
    requestHash: hex(78, 16),
    bootNonce: hex(94, 16),
    sequence: envelope.readBigUInt64BE(110).toString(),
    issued: envelope.readUIntBE(118, 6),
    expires: envelope.readUIntBE(124, 6),
    plaintext: plaintext.toString('utf8'),
  };
}
