import { randomBytes } from 'node:crypto';
import { troveDecrypt, troveEncrypt } from '@trove/common';
import { type Measurement, measure, median } from '@trove/testkit/bench';
import { type HeaderFields, parseHeader, ZERO_16 } from '../src/codecs/v2/header.ts';
import { createOpener } from '../src/codecs/v2/open.ts';
import { API, TASKMANAGER } from '../src/codecs/v2/party.ts';
import { createSealer } from '../src/codecs/v2/seal.ts';
import { controlKey } from '../src/keys/derive.ts';

const SIZES = [256, 1024, 16_384];
const BATCH = 2000;
const KEY = 'a-key-of-the-benchmark-and-nothing-else';

/** Sealing and opening alone, in microseconds a message, beside Trove's own cipher, which has no integrity. */
export async function benchSeal(): Promise<Measurement[]> {
  const measurements: Measurement[] = [];
  for (const size of SIZES) {
    const text = JSON.stringify({ m: 'x', a: 'a'.repeat(size - 40) });
    measurements.push(
      await measure({
        name: `seal and open, padded to ${size} B`,
        conditions: `${BATCH} messages a round, one session`,
        rounds: 15,
        contenders: [
          {
            name: "Trove's AES-CBC",
            run: async () =>
              timesOf(
                () => troveEncrypt(text, KEY),
                (sealed) => troveDecrypt(sealed, KEY),
              ),
          },
          { name: 'v2', run: async () => sealedTimes(text) },
        ],
      }),
    );
  }
  return measurements;
}

const sealer = createSealer(() => performance.now());
const opener = createOpener();
const rootKey = controlKey(KEY);

function sealedTimes(text: string): Record<string, number> {
  const figures = timesOf(
    () => sealer.seal(rootKey, fields(), text),
    (envelope) => {
      const header = parseHeader(envelope);
      return opener.open(rootKey, header, opener.commit(rootKey, header));
    },
  );
  return { ...figures, 'bytes on the wire': sealer.seal(rootKey, fields(), text).length };
}

function timesOf<T>(seal: () => T, open: (sealed: T) => unknown): Record<string, number> {
  const sealed: T[] = [];
  const sealTimes = times(BATCH, () => sealed.push(seal()));
  const openTimes = times(BATCH, (i) => open(sealed[i] as T));
  return { 'seal µs': sealTimes, 'open µs': openTimes, 'together µs': sealTimes + openTimes };
}

/** The median over blocks of 100, so that a pause of the machine does not count. */
function times(count: number, act: (i: number) => unknown): number {
  const blocks: number[] = [];
  for (let i = 0; i < count; ) {
    const start = performance.now();
    for (const end = i + 100; i < end; i += 1) act(i);
    blocks.push(((performance.now() - start) * 1000) / 100);
  }
  return median(blocks);
}

function fields(): HeaderFields {
  const issued = Date.now();
  return {
    kind: 'call',
    keyVersion: 1,
    sender: API,
    receiver: TASKMANAGER,
    messageId: randomBytes(16),
    requestId: ZERO_16,
    requestHash: ZERO_16,
    bootNonce: ZERO_16,
    sequence: 0n,
    issued,
    expires: issued + 10_000,
  };
}
