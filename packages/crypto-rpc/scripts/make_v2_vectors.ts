import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { TroveError } from '@trove/common';
import { AT, type HeaderFields, ZERO_16 } from '../src/codecs/v2/header.ts';
import { API, CONDUCTOR, guestParty, TASKMANAGER } from '../src/codecs/v2/party.ts';
import { errorText, replyText, requestText } from '../src/codecs/v2/payload.ts';
import { createSealer } from '../src/codecs/v2/seal.ts';
import { controlKey, controlKeyVersion, downlinkKey, keyCheckValue, uplinkKey } from '../src/keys/derive.ts';

/** Writes `vectors/v2.json`, or the file named on the command line, from fixed keys, ids, times and sessions: the same file each time. @module */

const KI = 'eRz43LwE6eaxIbBlA2pNukzPjSdcQkVi';
const K1 = 'control-plane-key-of-the-test-vectors';
const INSTANCE = '792fa220-2a40-4831-85af-cfb0ded8033c';
const ISSUED = 1_767_225_600_000;
const guest = guestParty(INSTANCE);
const fixed = (name: string, length: number): Buffer => createHash('sha256').update(name).digest().subarray(0, length);
const bootNonce = fixed('boot nonce', 16);
const context = {
  request_id: 'req-2f0c6b1e-0000-4000-8000-000000000001',
  project_id: '56cca8484d3e48869126ada4f355c284',
  user_id: 'u1',
};
const page = { limit: 20, marker: null, include_marker: false };

interface Made {
  readonly name: string;
  readonly root: 'uplink' | 'downlink' | 'control';
  readonly envelope: Buffer;
  readonly plaintext: string;
}

function make(name: string, root: Made['root'], fields: Partial<HeaderFields>, plaintext: string): Made {
  const sealer = createSealer(
    () => 0,
    (length) => fixed(`session of ${name}`, length),
  );
  const key = { uplink: uplinkKey(KI), downlink: downlinkKey(KI), control: controlKey(K1) }[root];
  const header: HeaderFields = {
    kind: 'call',
    keyVersion: root === 'control' ? controlKeyVersion(K1) : 1,
    sender: TASKMANAGER,
    receiver: guest,
    messageId: fixed(`message id of ${name}`, 16),
    requestId: ZERO_16,
    requestHash: ZERO_16,
    bootNonce: ZERO_16,
    sequence: 0n,
    issued: ISSUED,
    expires: ISSUED + 15_000,
    ...fields,
  };
  return { name, root, envelope: sealer.seal(key, header, plaintext), plaintext };
}

function answering(request: Made): Partial<HeaderFields> {
  return {
    requestId: request.envelope.subarray(AT.messageId, AT.messageId + 16),
    requestHash: createHash('sha256').update(request.envelope).digest().subarray(0, 16),
  };
}

const request = (method: string, args: unknown, more: { fence?: bigint; k?: string; q?: string } = {}): string =>
  requestText({
    method,
    version: '1.0',
    args,
    context,
    fence: more.fence ?? null,
    idempotencyKey: more.k ?? null,
    replyQueue: more.q ?? null,
  });

const hello = make(
  'hello',
  'downlink',
  {},
  request('hello', { stored_boot_nonce: null, stored_sequence: null }, { q: '00112233aabbccdd' }),
);
const call = make(
  'call to a guest',
  'downlink',
  { bootNonce },
  request('list_databases', page, { q: '00112233aabbccdd' }),
);
const changing = make(
  'call with fence and idempotency key',
  'downlink',
  { bootNonce },
  request(
    'create_database',
    { databases: [{ _name: 'Grüße 🐬' }] },
    { fence: 2n ** 60n, k: 'task-1/step-2', q: '00112233aabbccdd' },
  ),
);
const fromGuest = { sender: guest, receiver: TASKMANAGER, bootNonce };
const positive = [
  hello,
  make(
    'reply to hello',
    'downlink',
    { ...fromGuest, ...answering(hello), kind: 'reply' },
    replyText({ boot_nonce: bootNonce.toString('hex'), sequence: '0', kcv: keyCheckValue(KI) }),
  ),
  call,
  make(
    'reply of a guest',
    'downlink',
    { ...fromGuest, ...answering(call), kind: 'reply' },
    replyText([[{ _name: 'foo20' }], null]),
  ),
  changing,
  make(
    'error of a guest',
    'downlink',
    { ...fromGuest, ...answering(changing), kind: 'error' },
    errorText(new TroveError('DATABASE_EXISTS', 'It is there already.', { details: { name: 'Grüße 🐬' } })),
  ),
  make(
    'report',
    'uplink',
    { kind: 'report', sender: guest, receiver: CONDUCTOR, bootNonce, sequence: 2n ** 40n, expires: ISSUED + 90_000 },
    request('heartbeat', {
      instance_id: INSTANCE,
      payload: { service_status: 'healthy', volume_used: 0.13, volume_total: 2 },
    }),
  ),
  make(
    'cast of the api',
    'control',
    { kind: 'cast', sender: API, receiver: TASKMANAGER },
    request('run_task', { task_id: '0a8d6d34-0000-4000-8000-00000000beef' }),
  ),
  make(
    'call of the api',
    'control',
    { sender: API, receiver: TASKMANAGER },
    request('list_databases', { instance_id: INSTANCE, ...page }, { q: 'ffeeddccbbaa9988' }),
  ),
  make(
    'reply of 1 KiB',
    'downlink',
    { ...fromGuest, ...answering(call), kind: 'reply' },
    replyText([[{ _name: 'x'.repeat(400) }], null]),
  ),
  make(
    'reply of 32 KiB',
    'downlink',
    { ...fromGuest, ...answering(call), kind: 'reply' },
    replyText('y'.repeat(17_000)),
  ),
];

/** Each is refused for the reason beside it by a receiver that knows the keys. */
function negative(): readonly { name: string; root: Made['root']; reason: string; envelope: Buffer }[] {
  const bent = (name: string, reason: string, base: Made, change: (bytes: Buffer) => Buffer | undefined) => {
    const bytes = Buffer.from(base.envelope);
    return { name, root: base.root, reason, envelope: change(bytes) ?? bytes };
  };
  const set =
    (at: number, value: number) =>
    (bytes: Buffer): undefined =>
      void (bytes[at] = value);
  const zero =
    (at: number, length: number) =>
    (bytes: Buffer): undefined =>
      void bytes.fill(0, at, at + length);
  const said = (name: string, text: string) => {
    const { root, envelope } = make(name, 'downlink', { bootNonce }, text);
    return { name, root, reason: 'content', envelope };
  };
  const deep = `${'['.repeat(40)}${']'.repeat(40)}`;
  return [
    bent('another magic', 'shape', call, set(0, 0x55)),
    bent('an unknown version', 'shape', call, set(AT.version, 3)),
    bent('an unknown suite', 'shape', call, set(AT.suite, 2)),
    bent('an unknown kind', 'shape', call, set(AT.kind, 6)),
    bent('a flag', 'shape', call, set(AT.flags, 1)),
    bent('an unknown role', 'shape', call, set(AT.sender, 5)),
    bent('a service with an id', 'shape', call, set(AT.sender + 1, 1)),
    bent('a guest without an id', 'shape', call, zero(AT.receiver + 1, 16)),
    bent(
      'both sides guests',
      'shape',
      call,
      (bytes) => void bytes.copy(bytes, AT.sender, AT.receiver, AT.receiver + 17),
    ),
    bent('no message id', 'shape', call, zero(AT.messageId, 16)),
    bent('a request that answers', 'shape', call, set(AT.requestId, 1)),
    bent('a call with a sequence', 'shape', call, set(AT.sequence + 7, 1)),
    bent('expired before it was issued', 'shape', call, zero(AT.expires, 6)),
    bent(
      'a length that is no padded size',
      'shape',
      call,
      (bytes) => void bytes.writeUInt32BE(255, AT.ciphertextLength),
    ),
    bent('one byte more', 'shape', call, (bytes) => Buffer.concat([bytes, Buffer.from([0])])),
    bent('a tag of four bytes', 'shape', call, (bytes) => bytes.subarray(0, -12)),
    bent('another session', 'commitment', call, set(AT.session, (call.envelope[AT.session] ?? 0) ^ 1)),
    bent('another commitment', 'commitment', call, set(AT.commitment, (call.envelope[AT.commitment] ?? 0) ^ 1)),
    bent('another receiver', 'commitment', call, set(AT.receiver + 1, 0x11)),
    bent('another nonce', 'open', call, set(AT.nonce, (call.envelope[AT.nonce] ?? 0) ^ 1)),
    bent('another boot nonce', 'open', call, set(AT.bootNonce, (call.envelope[AT.bootNonce] ?? 0) ^ 1)),
    bent('a later expiry', 'open', call, set(AT.expires + 5, (call.envelope[AT.expires + 5] ?? 0) ^ 1)),
    bent('another ciphertext', 'open', call, set(210, (call.envelope[210] ?? 0) ^ 1)),
    said('a member twice', '{"m":"hello","m":"restart","v":"1.0","a":{}}'),
    said('a member twice in another spelling', '{"m":"restart","v":"1.0","a":{"x":1,"\\u0078":2}}'),
    said('a prototype', '{"m":"restart","v":"1.0","a":{"__proto__":{"polluted":true}}}'),
    said('more than 32 levels', `{"m":"restart","v":"1.0","a":{"x":${deep}}}`),
    said('an unlisted member', '{"m":"restart","v":"1.0","a":{},"z":1}'),
    said('an array', '["m","restart"]'),
    said('text after the object', '{"m":"restart","v":"1.0","a":{}} {}'),
  ];
}

const file = {
  about:
    'Envelopes of docs/wire-format.md from fixed keys, sessions, ids and times. Bytes are hex. Written by scripts/make_v2_vectors.ts.',
  instance_id: INSTANCE,
  instance_key: KI,
  control_key: K1,
  derived: {
    uplink: uplinkKey(KI).toString('hex'),
    downlink: downlinkKey(KI).toString('hex'),
    control: controlKey(K1).toString('hex'),
    control_key_version: controlKeyVersion(K1),
    kcv: keyCheckValue(KI),
  },
  positive: positive.map(({ envelope, ...made }) => ({ ...made, envelope: envelope.toString('hex') })),
  negative: negative().map(({ envelope, ...made }) => ({ ...made, envelope: envelope.toString('hex') })),
};
writeFileSync(
  process.argv[2] ?? new URL('../vectors/v2.json', import.meta.url),
  `${JSON.stringify(file, undefined, 1)}\n`,
);
