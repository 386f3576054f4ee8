import { Refusal } from '../../rpc/refusal.ts';
import { isPaddedLength } from './padding.ts';
import { PARTY_LENGTH, type Party, partyFromBytes } from './party.ts';

export const HEADER_LENGTH = 210;
export const TAG_LENGTH = 16;
export const MAX_ENVELOPE_LENGTH = 1 << 20;

const MAGIC = Buffer.from('TRV2', 'ascii');
const VERSION = 2;
const SUITE = 1;
/** No message lives longer than an event: 24 h. */
const MAX_LIFE_MS = 24 * 60 * 60 * 1000;
export const ZERO_16 = Buffer.alloc(16);

/** Where each field starts. */
export const AT = {
  version: 4,
  suite: 5,
  kind: 6,
  flags: 7,
  keyVersion: 8,
  sender: 12,
  receiver: 29,
  messageId: 46,
  requestId: 62,
  requestHash: 78,
  bootNonce: 94,
  sequence: 110,
  issued: 118,
  expires: 124,
  session: 130,
  commitment: 162,
  nonce: 194,
  ciphertextLength: 206,
} as const;

const KINDS = { call: 1, cast: 2, reply: 3, error: 4, report: 5 } as const;
export type Kind = keyof typeof KINDS;
const KIND_OF_BYTE: readonly (Kind | undefined)[] = [undefined, 'call', 'cast', 'reply', 'error', 'report'];

/** What the sender says in the clear part; session, commitment, nonce and length are added by sealing. */
export interface HeaderFields {
  readonly kind: Kind;
  readonly keyVersion: number;
  readonly sender: Party;
  readonly receiver: Party;
  /** 16 bytes each. */
  readonly messageId: Buffer;
  readonly requestId: Buffer;
  readonly requestHash: Buffer;
  readonly bootNonce: Buffer;
  readonly sequence: bigint;
  /** Milliseconds since 1970. */
  readonly issued: number;
  readonly expires: number;
}

export interface Header extends HeaderFields {
  /** The whole envelope, and views into it. */
  readonly envelope: Buffer;
  readonly senderBytes: Buffer;
  readonly receiverBytes: Buffer;
  readonly session: Buffer;
  readonly commitment: Buffer;
  readonly nonce: Buffer;
  readonly ciphertext: Buffer;
  readonly tag: Buffer;
}

/** Writes the fields at the start of `envelope`, which is zero so far; sealing fills the rest. */
export function writeHeader(envelope: Buffer, fields: HeaderFields, senderBytes: Buffer, receiverBytes: Buffer): void {
  MAGIC.copy(envelope, 0);
  envelope[AT.version] = VERSION;
  envelope[AT.suite] = SUITE;
  envelope[AT.kind] = KINDS[fields.kind];
  envelope.writeUInt32BE(fields.keyVersion, AT.keyVersion);
  senderBytes.copy(envelope, AT.sender);
  receiverBytes.copy(envelope, AT.receiver);
  fields.messageId.copy(envelope, AT.messageId);
  fields.requestId.copy(envelope, AT.requestId);
  fields.requestHash.copy(envelope, AT.requestHash);
  fields.bootNonce.copy(envelope, AT.bootNonce);
  envelope.writeBigUInt64BE(fields.sequence, AT.sequence);
  envelope.writeUIntBE(fields.issued, AT.issued, 6);
  envelope.writeUIntBE(fields.expires, AT.expires, 6);
}

/**
 * Reads the clear part and checks its shape: lengths, known bytes, parties, and which fields must be zero for this kind.
 * Nothing of it is authentic yet. Throws a `Refusal` (`size`, `shape`) and nothing else.
 */
export function parseHeader(envelope: Buffer): Header {
  if (envelope.length > MAX_ENVELOPE_LENGTH) throw new Refusal('size');
  if (envelope.length < HEADER_LENGTH + TAG_LENGTH) throw new Refusal('shape');
  const kind = KIND_OF_BYTE[envelope[AT.kind] ?? 0];
  const senderBytes = envelope.subarray(AT.sender, AT.sender + PARTY_LENGTH);
  const receiverBytes = envelope.subarray(AT.receiver, AT.receiver + PARTY_LENGTH);
  const sender = partyFromBytes(senderBytes);
  const receiver = partyFromBytes(receiverBytes);
  const length = envelope.readUInt32BE(AT.ciphertextLength);
  const framed =
    envelope.subarray(0, 4).equals(MAGIC) &&
    envelope[AT.version] === VERSION &&
    envelope[AT.suite] === SUITE &&
    envelope[AT.flags] === 0 &&
    isPaddedLength(length) &&
    envelope.length === HEADER_LENGTH + length + TAG_LENGTH;
  if (!framed || kind === undefined || sender === undefined || receiver === undefined) throw new Refusal('shape');
  const header: Header = {
    envelope,
    kind,
    keyVersion: envelope.readUInt32BE(AT.keyVersion),
    sender,
    receiver,
    senderBytes,
    receiverBytes,
    messageId: bytes16(envelope, AT.messageId),
    requestId: bytes16(envelope, AT.requestId),
    requestHash: bytes16(envelope, AT.requestHash),
    bootNonce: bytes16(envelope, AT.bootNonce),
    sequence: envelope.readBigUInt64BE(AT.sequence),
    issued: envelope.readUIntBE(AT.issued, 6),
    expires: envelope.readUIntBE(AT.expires, 6),
    session: envelope.subarray(AT.session, AT.session + 32),
    commitment: envelope.subarray(AT.commitment, AT.commitment + 32),
    nonce: envelope.subarray(AT.nonce, AT.nonce + 12),
    ciphertext: envelope.subarray(HEADER_LENGTH, HEADER_LENGTH + length),
    tag: envelope.subarray(HEADER_LENGTH + length),
  };
  if (!fieldsFitKind(header)) throw new Refusal('shape');
  return header;
}

function bytes16(envelope: Buffer, at: number): Buffer {
  return envelope.subarray(at, at + 16);
}

function fieldsFitKind(header: Header): boolean {
  const answer = header.kind === 'reply' || header.kind === 'error';
  const fromGuest = header.sender.role === 'guest';
  const toGuest = header.receiver.role === 'guest';
  const lives = header.expires > header.issued && header.expires - header.issued <= MAX_LIFE_MS;
  return (
    lives &&
    !(fromGuest && toGuest) &&
    !isZero(header.messageId) &&
    isZero(header.requestId) !== answer &&
    (answer || isZero(header.requestHash)) &&
    // To a guest a zero nonce is what marks `hello`; that it is one can be seen only after opening.
    (toGuest || isZero(header.bootNonce) !== fromGuest) &&
    header.sequence > 0n === (header.kind === 'report')
  );
}

export function isZero(bytes: Buffer): boolean {
  return bytes.equals(ZERO_16);
}
