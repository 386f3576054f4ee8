import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { uplinkKey } from '../../keys/derive.ts';
import { Refusal } from '../../rpc/refusal.ts';
import { AT, type HeaderFields, parseHeader, ZERO_16 } from './header.ts';
import { createOpener } from './open.ts';
import { pad } from './padding.ts';
import { CONDUCTOR, guestParty } from './party.ts';
import { parseAnswer, parseRequest } from './payload.ts';
import { createSealer } from './seal.ts';
import { parseStrictObject } from './strict_json.ts';

const rootKey = uplinkKey('a key');
const guest = guestParty('792fa220-2a40-4831-85af-cfb0ded8033c');

function fields(more: Partial<HeaderFields> = {}): HeaderFields {
  return {
    kind: 'report',
    keyVersion: 1,
    sender: guest,
    receiver: CONDUCTOR,
    messageId: randomBytes(16),
    requestId: ZERO_16,
    requestHash: ZERO_16,
    bootNonce: randomBytes(16),
    sequence: 1n,
    issued: 1000,
    expires: 2000,
    ...more,
  };
}

function open(envelope: Buffer, key = rootKey): Buffer {
  const header = parseHeader(envelope);
  const opener = createOpener();
  return opener.open(key, header, opener.commit(key, header));
}

/** What an action threw, or undefined. */
function thrown(act: () => unknown): unknown {
  try {
    act();
    return undefined;
  } catch (error) {
    return error;
  }
}

describe('an envelope', () => {
  const sealer = createSealer(() => 0);

  test('is refused after any single flipped bit', () => {
    const envelope = sealer.seal(rootKey, fields(), '{"m":"heartbeat"}');
    const header = 210 * 8;
    const opened: number[] = [];
    // Each bit of the header, and one in seven of ciphertext and tag.
    for (let bit = 0; bit < envelope.length * 8; bit += bit < header ? 1 : 7) {
      const bent = Buffer.from(envelope);
      bent[bit >> 3] = (bent[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      if (!(thrown(() => open(bent)) instanceof Refusal)) opened.push(bit);
    }
    expect(opened).toEqual([]);
  });

  test('is refused when cut or grown anywhere', () => {
    const envelope = sealer.seal(rootKey, fields(), '{}');
    for (let length = 0; length < envelope.length; length += 1) {
      expect(thrown(() => open(envelope.subarray(0, length)))).toBeInstanceOf(Refusal);
    }
    expect(thrown(() => open(Buffer.concat([envelope, Buffer.alloc(1)])))).toBeInstanceOf(Refusal);
  });

  test('does not open under the key of another instance, or in the other direction', () => {
    const envelope = sealer.seal(rootKey, fields(), '{}');
    expect(thrown(() => open(envelope, uplinkKey('another')))).toMatchObject({ reason: 'commitment' });
  });

  test('gives one nonce to two plaintexts under one session never, even when the random source repeats', () => {
    const repeating = (length: number): Buffer => Buffer.alloc(length, 7);
    const same = fields();
    const one = createSealer(() => 0, repeating).seal(rootKey, same, '{"a":1}');
    const other = createSealer(() => 0, repeating).seal(rootKey, same, '{"a":2}');
    const again = createSealer(() => 0, repeating).seal(rootKey, { ...same, sequence: 2n }, '{"a":1}');
    const nonces = [one, other, again].map((envelope) => envelope.subarray(AT.nonce, AT.nonce + 12).toString('hex'));
    expect(new Set(nonces).size).toBe(3);
  });

  test('carries any JSON text whole, at one of the listed lengths', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 5 })), (value) => {
        const text = JSON.stringify(value);
        const padded = open(sealer.seal(rootKey, fields(), text));
        expect(padded.equals(pad(text))).toBe(true);
        expect([256, 1024, 4096].includes(padded.length) || padded.length % 16384 === 0).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  test('above 1 MiB is refused before it is looked at', () => {
    expect(thrown(() => parseHeader(Buffer.alloc((1 << 20) + 1)))).toMatchObject({ reason: 'size' });
    expect(thrown(() => sealer.seal(rootKey, fields(), 'x'.repeat(1 << 20)))).toMatchObject({ reason: 'size' });
  });

  test('starts a new session after 24 hours', () => {
    let now = 0;
    const ageing = createSealer(() => now);
    const session = (): string =>
      ageing
        .seal(rootKey, fields(), '{}')
        .subarray(AT.session, AT.session + 32)
        .toString('hex');
    const first = session();
    expect(session()).toBe(first);
    now = 24 * 60 * 60 * 1000;
    expect(session()).not.toBe(first);
  });

  test('under a key version that was given to another key opens under that key', () => {
    const reissued = uplinkKey('another');
    sealer.seal(rootKey, fields(), '{}');
    expect(
      open(sealer.seal(reissued, fields(), '{}'), reissued)
        .toString()
        .trimEnd(),
    ).toBe('{}');
  });
});

describe('a parser', () => {
  const parsers = {
    header: parseHeader,
    object: parseStrictObject,
    request: parseRequest,
    reply: (bytes: Buffer) => parseAnswer('reply', bytes),
    error: (bytes: Buffer) => parseAnswer('error', bytes),
  };

  test.each(Object.entries(parsers))('of a %s never throws anything but a refusal', (_name, parse) => {
    const junk = fc.oneof(
      fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes)),
      fc.json().map((text) => Buffer.from(text)),
      fc
        .dictionary(fc.constantFrom('m', 'v', 'a', 'c', 'f', 'k', 'q', 'r', 'e', '__proto__'), fc.jsonValue())
        .map((value) => Buffer.from(JSON.stringify(value))),
    );
    fc.assert(
      fc.property(junk, (bytes) => {
        const error = thrown(() => parse(bytes));
        expect(error === undefined || error instanceof Refusal).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('of an object takes what JSON.parse takes, unless a name stands twice', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ maxDepth: 6 })), (value) => {
        const names = JSON.stringify(value);
        if (/"(__proto__|constructor|prototype)"/.test(names)) return;
        expect(parseStrictObject(Buffer.from(names))).toEqual(JSON.parse(names));
      }),
    );
    for (const text of ['{"a":{"b":1,"b":1}}', '{"a":[{"x":1,"\\u0078":1}]}', '{"a":1,"a":1}']) {
      expect(thrown(() => parseStrictObject(Buffer.from(text)))).toMatchObject({ reason: 'content' });
    }
    expect(thrown(() => parseStrictObject(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])))).toMatchObject({
      reason: 'content',
    });
    expect(parseStrictObject(Buffer.from('{"a:{[\\"":":}\\\\"}'))).toEqual({ 'a:{["': ':}\\' });
  });
});
