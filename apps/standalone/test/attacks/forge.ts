import { createCipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';

/** What an attacker with a key writes by itself: an envelope as `docs/wire-format.md` has it, sharing no code with ours. */
export interface Forgery {
  readonly kind: 'call' | 'reply' | 'report';
  readonly sender: string;
  readonly receiver: string;
  readonly bootNonce?: Buffer;
  readonly sequence?: bigint;
  readonly requestId?: Buffer;
  readonly requestHash?: Buffer;
  readonly livesMs?: number;
  /** Of the guest's key; default 1. */
  readonly keyVersion?: number;
  /** JSON text, well formed or not. */
  readonly text: string;
}

export const API = `01${'0'.repeat(32)}`;
export const TASKMANAGER = `02${'0'.repeat(32)}`;
export const CONDUCTOR = `03${'0'.repeat(32)}`;
export const guest = (id: string): string => `04${id.replaceAll('-', '')}`;

const KINDS = { call: 1, reply: 3, report: 5 } as const;
const derived = (key: Buffer | string, salt: Buffer | string, info: Buffer | string, length: number): Buffer =>
  Buffer.from(hkdfSync('sha256', key, salt, info, length));

/** Kup, Kdn or Kc. */
export function rootKey(key: string, purpose: 'uplink' | 'downlink' | 'control'): Buffer {
  return derived(key, 'trove-rpc-v2', purpose, 32);
}

function padded(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const size = [256, 1024, 4096].find((each) => length <= each) ?? Math.ceil(length / 16_384) * 16_384;
  const bytes = Buffer.alloc(size, ' ');
  bytes.write(text);
  return bytes;
}

export function forge(root: Buffer, forgery: Forgery): Buffer {
  const plaintext = padded(forgery.text);
  const [sender, receiver] = [Buffer.from(forgery.sender, 'hex'), Buffer.from(forgery.receiver, 'hex')];
  const session = randomBytes(32);
  const direction = derived(root, 'trove-rpc-v2', Buffer.concat([Buffer.from('direction'), sender, receiver]), 32);
  const keys = derived(direction, session, 'session', 96);
  const header = Buffer.alloc(210);
  header.write('TRV2');
  header.set([2, 1, KINDS[forgery.kind]], 4);
  header.writeUInt32BE(forgery.keyVersion ?? 1, 8);
  header.set(sender, 12);
  header.set(receiver, 29);
  header.set(randomBytes(16), 46);
  header.set(forgery.requestId ?? [], 62);
  header.set(forgery.requestHash ?? [], 78);
  header.set(forgery.bootNonce ?? [], 94);
  header.writeBigUInt64BE(forgery.sequence ?? 0n, 110);
  header.writeUIntBE(Date.now(), 118, 6);
  header.writeUIntBE(Date.now() + (forgery.livesMs ?? 60_000), 124, 6);
  header.set(session, 130);
  header.set(keys.subarray(64), 162);
  header.writeUInt32BE(plaintext.length, 206);
  const mac = createHmac('sha256', keys.subarray(32, 64));
  mac.update(header.subarray(0, 194)).update(header.subarray(206)).update(plaintext);
  header.set(mac.digest().subarray(0, 12), 194);
  const cipher = createCipheriv('aes-256-gcm', keys.subarray(0, 32), header.subarray(194, 206));
  cipher.setAAD(header);
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([header, ciphertext, cipher.getAuthTag()]);
}
