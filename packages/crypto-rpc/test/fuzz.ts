import { readFileSync } from 'node:fs';
import { parseRequest as parseOslo, parseReply } from '../src/codecs/oslo/envelope.ts';
import { pythonJson } from '../src/codecs/oslo/python_json.ts';
import { openDown, openUp, openValue } from '../src/codecs/oslo/v1.ts';
import { parseHeader } from '../src/codecs/v2/header.ts';
import { createOpener } from '../src/codecs/v2/open.ts';
import { parseAnswer, parseRequest } from '../src/codecs/v2/payload.ts';
import { controlKey, downlinkKey, legacyCipherKey, uplinkKey } from '../src/keys/derive.ts';
import { Refusal } from '../src/rpc/refusal.ts';
import { checkOwnIds } from '../src/rpc/validation.ts';

interface Specimen {
  readonly bytes: Buffer;
  readonly format: 'v2' | 'v1' | 'plaintext';
  /** All that a receiver does to these bytes before it looks at the method. */
  readonly read: (bytes: Buffer) => void;
}

export interface FuzzReport {
  readonly messages: number;
  /** Altered v2 messages that opened: must be 0. */
  readonly accepted: number;
  /** Anything thrown that is no refusal: must be 0. */
  readonly crashes: readonly string[];
  readonly refused: number;
  /** Legacy messages that were read though they were altered: those formats have no integrity, and cannot tell. */
  readonly readAnyway: number;
}

/** Reads so many messages, each one of the committed vectors altered at random; the same seed alters the same. */
export function fuzz(messages: number, seed: number): FuzzReport {
  const specimens = loadSpecimens();
  const random = generator(seed);
  const crashes: string[] = [];
  let [accepted, refused, readAnyway] = [0, 0, 0];
  for (let count = 0; count < messages; count += 1) {
    const specimen = pick(specimens, random);
    const bytes = alter(specimen.bytes, pick(specimens, random).bytes, random);
    if (specimens.some((each) => each.bytes.equals(bytes))) continue;
    const error = thrown(() => specimen.read(bytes));
    if (error === undefined && specimen.format === 'v2') accepted += 1;
    else if (error === undefined) readAnyway += 1;
    else if (error instanceof Refusal) refused += 1;
    else
      crashes.push(
        `${specimen.format} ${bytes.toString('base64')} ${error instanceof Error ? error.message : typeof error}`,
      );
  }
  return { messages, accepted, crashes, refused, readAnyway };
}

/** How many of the vectors are read when nothing alters them: all. */
export function readUnaltered(): { read: number; of: number } {
  const specimens = loadSpecimens();
  const read = specimens.filter(({ bytes, read: reader }) => thrown(() => reader(bytes)) === undefined).length;
  return { read, of: specimens.length };
}

function thrown(act: () => void): unknown {
  try {
    act();
    return undefined;
  } catch (error) {
    return error;
  }
}

const load = (name: string) => JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8'));

interface V2File {
  readonly instance_key: string;
  readonly control_key: string;
  readonly positive: readonly { readonly root: 'uplink' | 'downlink' | 'control'; readonly envelope: string }[];
}

interface LegacyFile {
  readonly instance_id?: string;
  readonly instance_rpc_encr_key?: string;
  readonly messages: readonly { readonly exchange: string; readonly routing_key: string; readonly body: object }[];
}

function loadSpecimens(): readonly Specimen[] {
  const v2: V2File = load('v2');
  const roots = {
    uplink: uplinkKey(v2.instance_key),
    downlink: downlinkKey(v2.instance_key),
    control: controlKey(v2.control_key),
  };
  // Time enough passes between two messages for the budget of unknown sessions never to be what refuses one.
  let now = 0;
  const opener = createOpener(() => (now += 60_000));
  const sealed = v2.positive.map(({ root, envelope }): Specimen => {
    const read = (bytes: Buffer): void => {
      const header = parseHeader(bytes);
      const plaintext = opener.open(roots[root], header, opener.commit(roots[root], header));
      if (header.kind === 'reply' || header.kind === 'error') parseAnswer(header.kind, plaintext);
      else parseRequest(plaintext);
    };
    return { bytes: Buffer.from(envelope, 'hex'), format: 'v2', read };
  });
  return [...sealed, ...legacy(load('guest-plaintext'), 'plaintext'), ...legacy(load('guest-v1'), 'v1')];
}

function legacy(file: LegacyFile, format: 'v1' | 'plaintext'): Specimen[] {
  const key = legacyCipherKey(file.instance_rpc_encr_key ?? '');
  const id = file.instance_id ?? '';
  return file.messages.map(({ exchange, routing_key, body }): Specimen => {
    const read = (bytes: Buffer): void => {
      if (exchange === '') {
        const { result, failure } = parseReply(bytes);
        if (format === 'v1' && failure === null) openValue(result, key);
        return;
      }
      const { args, context } = parseOslo(bytes);
      if (format === 'plaintext') return;
      if (routing_key === 'trove-conductor') checkOwnIds(openUp(args, context, id, key).args, id);
      else openDown(args, context, key);
    };
    return { bytes: Buffer.from(pythonJson(body), 'ascii'), format, read };
  });
}

/** Numbers from 0 to below 1 that follow from the seed (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function pick<T>(list: readonly T[], random: () => number): T {
  const found = list[Math.floor(random() * list.length)];
  if (found === undefined) throw new Error('nothing to pick from');
  return found;
}

/** One to four alterations: a bit, a byte, a cut, a repetition, a piece of another message. */
function alter(original: Buffer, other: Buffer, random: () => number): Buffer {
  let bytes = Buffer.from(original);
  for (let left = 1 + Math.floor(random() * 4); left > 0 && bytes.length > 0; left -= 1) {
    const at = Math.floor(random() * bytes.length);
    const length = Math.floor(random() * 64);
    const kinds = [
      () => bytes.fill((bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8)), at, at + 1),
      () => bytes.fill(Math.floor(random() * 256), at, at + 1),
      () => bytes.subarray(0, at),
      () => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]),
      () => Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]),
      () => Buffer.concat([bytes.subarray(0, at), other.subarray(at, at + length), bytes.subarray(at + length)]),
    ];
    bytes = Buffer.from(pick(kinds, random)());
  }
  return bytes;
}
