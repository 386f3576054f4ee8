import { createCipheriv, createHmac, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { type SessionKeys, sessionKeys } from '../../keys/derive.ts';
import { AT, HEADER_LENGTH, type HeaderFields, TAG_LENGTH, writeHeader } from './header.ts';
import { pad } from './padding.ts';
import { partyName, partyToBytes } from './party.ts';

const MESSAGES_PER_SESSION = 2 ** 30;
const SESSION_LIFE_MS = 24 * 60 * 60 * 1000;
const PEERS = 20_000;

interface PeerKeys extends SessionKeys {
  readonly rootKey: Buffer;
  readonly session: Buffer;
  readonly senderBytes: Buffer;
  readonly receiverBytes: Buffer;
}

export interface Sealer {
  /** The envelope of this JSON text. Throws a `Refusal` (`size`) where it would be above 1 MiB. */
  seal(rootKey: Buffer, fields: HeaderFields, jsonText: string): Buffer;
}

/**
 * A sender: one random session at a time, and the keys that it gives with each peer. Renewed after 2^30 messages or 24 h.
 * @param monotonic milliseconds that never go back
 * @param random overridden by the script that makes the test vectors, and by nothing else
 */
export function createSealer(monotonic: () => number, random: (length: number) => Buffer = randomBytes): Sealer {
  const peers = new LRUCache<string, PeerKeys>({ max: PEERS });
  let session = random(32);
  let started = monotonic();
  let sealed = 0;

  const renewWhenWorn = (): void => {
    sealed += 1;
    if (sealed <= MESSAGES_PER_SESSION && monotonic() - started < SESSION_LIFE_MS) return;
    session = random(32);
    started = monotonic();
    sealed = 1;
  };

  const keysFor = (rootKey: Buffer, fields: HeaderFields): PeerKeys => {
    const name = `${partyName(fields.sender)}>${partyName(fields.receiver)}#${fields.keyVersion}`;
    const known = peers.get(name);
    // A version that was revoked may be given again to another key, so the version alone is no proof.
    if (known?.session === session && known.rootKey.equals(rootKey)) return known;
    const senderBytes = partyToBytes(fields.sender);
    const receiverBytes = partyToBytes(fields.receiver);
    const keys = sessionKeys(rootKey, senderBytes, receiverBytes, session);
    const fresh = { ...keys, rootKey, session, senderBytes, receiverBytes };
    peers.set(name, fresh);
    return fresh;
  };

  return {
    seal: (rootKey, fields, jsonText) => {
      renewWhenWorn();
      return sealUnder(keysFor(rootKey, fields), fields, pad(jsonText));
    },
  };
}

function sealUnder(keys: PeerKeys, fields: HeaderFields, padded: Buffer): Buffer {
  const envelope = Buffer.alloc(HEADER_LENGTH + padded.length + TAG_LENGTH);
  writeHeader(envelope, fields, keys.senderBytes, keys.receiverBytes);
  keys.session.copy(envelope, AT.session);
  keys.commitment.copy(envelope, AT.commitment);
  envelope.writeUInt32BE(padded.length, AT.ciphertextLength);
  const mac = createHmac('sha256', keys.nonceKey)
    .update(envelope.subarray(0, AT.nonce))
    .update(envelope.subarray(AT.ciphertextLength, HEADER_LENGTH))
    .update(padded)
    .digest();
  mac.copy(envelope, AT.nonce, 0, 12);
  const nonce = envelope.subarray(AT.nonce, AT.nonce + 12);
  const cipher = createCipheriv('aes-256-gcm', keys.sealKey, nonce, { authTagLength: TAG_LENGTH });
  cipher.setAAD(envelope.subarray(0, HEADER_LENGTH));
  cipher.update(padded).copy(envelope, HEADER_LENGTH);
  cipher.final();
  cipher.getAuthTag().copy(envelope, HEADER_LENGTH + padded.length);
  return envelope;
}
