import { createDecipheriv, type KeyObject, timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { type SessionKeys, sessionKeys } from '../../keys/derive.ts';
import { Refusal } from '../../rpc/refusal.ts';
import { SessionBudget } from '../../rpc/session_budget.ts';
import { HEADER_LENGTH, type Header, TAG_LENGTH } from './header.ts';
import { partyName } from './party.ts';

const SENDERS = 20_000;
const SESSIONS_PER_SENDER = 2;

interface KnownSession extends SessionKeys {
  readonly rootKey: Buffer;
  readonly session: Buffer;
}

export interface Opener {
  /**
   * Keys under which this header's commitment is right. Throws a `Refusal`: `commitment` where there are none, `rate` where
   * too many of this account's sessions turned out not to be real.
   * @param userId the account that the broker vouches for
   */
  commit(rootKey: Buffer, header: Header, userId?: string): SessionKeys;
  /** The padded plaintext; from here on the session is remembered. Throws a `Refusal` (`open`). */
  open(rootKey: Buffer, header: Header, keys: SessionKeys, userId?: string): Buffer;
}

/**
 * A receiver. It remembers at most two sessions per sender and key version, each only after a message opened under it.
 * @param monotonic milliseconds that never go back
 */
export function createOpener(monotonic: () => number = () => performance.now()): Opener {
  const budget = new SessionBudget(monotonic);
  const senders = new LRUCache<string, readonly KnownSession[]>({ max: SENDERS });

  const find = (rootKey: Buffer, header: Header): KnownSession | undefined =>
    senders
      .get(senderName(header))
      ?.find((known) => known.session.equals(header.session) && known.rootKey.equals(rootKey));

  const remember = (rootKey: Buffer, header: Header, keys: SessionKeys, userId?: string): void => {
    if (find(rootKey, header) !== undefined) return;
    budget.giveBack(userId, partyName(header.sender));
    const older = senders.get(senderName(header)) ?? [];
    const fresh = { ...keys, rootKey, session: Buffer.from(header.session) };
    senders.set(senderName(header), [fresh, ...older].slice(0, SESSIONS_PER_SENDER));
  };

  return {
    commit: (rootKey, header, userId) => {
      const known = find(rootKey, header);
      if (known === undefined) budget.take(userId, partyName(header.sender));
      const keys = known ?? sessionKeys(rootKey, header.senderBytes, header.receiverBytes, header.session);
      if (!timingSafeEqual(keys.commitment, header.commitment)) throw new Refusal('commitment');
      return keys;
    },
    open: (rootKey, header, keys, userId) => {
      const plaintext = decrypt(header, keys.sealKey);
      remember(rootKey, header, keys, userId);
      return plaintext;
    },
  };
}

function senderName(header: Header): string {
  return `${partyName(header.sender)}>${partyName(header.receiver)}#${header.keyVersion}`;
}

function decrypt(header: Header, sealKey: KeyObject): Buffer {
  try {
    // Without authTagLength Node takes a tag of 4 bytes for a good one.
    const decipher = createDecipheriv('aes-256-gcm', sealKey, header.nonce, { authTagLength: TAG_LENGTH });
    decipher.setAAD(header.envelope.subarray(0, HEADER_LENGTH));
    decipher.setAuthTag(header.tag);
    const plaintext = decipher.update(header.ciphertext);
    decipher.final();
    return plaintext;
  } catch {
    throw new Refusal('open');
  }
}
