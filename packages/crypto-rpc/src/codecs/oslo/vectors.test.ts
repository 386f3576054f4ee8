import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decryptText, openEnvelope, textOf } from '../../../test/legacy_decoder.ts';
import { legacyCipherKey } from '../../keys/derive.ts';
import { isJsonObject, type JsonObject } from '../v2/strict_json.ts';
import { osloContext } from './context.ts';
import { parseReply, parseRequest, writeReply, writeRequest } from './envelope.ts';
import { readFailure } from './failure.ts';
import { pythonJson } from './python_json.ts';
import { openDown, openUp, openValue, sealDown } from './v1.ts';

interface Captured {
  readonly exchange: string;
  readonly routing_key: string;
  readonly properties: JsonObject;
  readonly body: { readonly 'oslo.version': string; readonly 'oslo.message': string };
}

interface VectorFile {
  readonly instance_id?: string;
  readonly instance_rpc_encr_key?: string;
  readonly taskmanager_rpc_encr_key?: string;
  readonly messages: readonly Captured[];
}

function load(name: string): VectorFile {
  return JSON.parse(readFileSync(new URL(`../../../vectors/${name}.json`, import.meta.url), 'utf8'));
}

/** The captured message as it stood on the wire. */
function bytesOf(message: Captured): Buffer {
  return Buffer.from(pythonJson(message.body), 'ascii');
}

const guestClear = load('guest-plaintext');
const guestV1 = load('guest-v1');
const controlClear = load('control-plane-plaintext');
const controlV1 = load('control-plane-v1');
const guestKey = legacyCipherKey(guestV1.instance_rpc_encr_key ?? '');
const controlKey = legacyCipherKey(controlV1.taskmanager_rpc_encr_key ?? '');
const isReply = (message: Captured): boolean => message.exchange === '';
const isReport = (message: Captured): boolean => message.routing_key === 'trove-conductor';

describe('messages captured from Trove', () => {
  test.each([
    ['guest', guestClear],
    ['control plane', controlClear],
  ])('each in clear of the %s is written again byte by byte', (_name, file) => {
    for (const message of file.messages) {
      const bytes = bytesOf(message);
      const written = isReply(message) ? writeReply(parseReply(bytes)) : writeRequest(parseRequest(bytes));
      expect(written.toString()).toBe(bytes.toString());
    }
  });

  test('a context as Trove makes it comes from the caller as Trove would make it', () => {
    const { context } = parseRequest(bytesOf(controlClear.messages[0] as Captured));
    const ours = osloContext({
      request_id: 'req-2f0c6b1e-0000-4000-8000-000000000001',
      user_id: 'u1',
      project_id: '56cca8484d3e48869126ada4f355c284',
    });
    expect(pythonJson(ours)).toBe(pythonJson(context));
    const { context: empty } = parseRequest(bytesOf(guestClear.messages[0] as Captured));
    expect(pythonJson(osloContext({ request_id: 'req-2f0c6b1e-0000-4000-8000-000000000002' }))).toBe(pythonJson(empty));
  });

  test('each v1 request and reply opens, and says what its twin in clear says', () => {
    guestV1.messages.forEach((message, index) => {
      const twin = bytesOf(guestClear.messages[index] as Captured);
      if (isReply(message)) {
        expect(openValue(parseReply(bytesOf(message)).result, guestKey)).toEqual(parseReply(twin).result);
        return;
      }
      const sealed = parseRequest(bytesOf(message));
      const instanceId = guestV1.instance_id ?? '';
      const opened = isReport(message)
        ? openUp(sealed.args, sealed.context, instanceId, guestKey)
        : openDown(sealed.args, sealed.context, guestKey);
      const { args } = parseRequest(twin);
      expect(opened.args).toEqual('instance_id' in args ? { ...args, instance_id: instanceId } : args);
      expect(opened.context).toMatchObject({ request_id: 'req-2f0c6b1e-0000-4000-8000-000000000002', roles: [] });
    });
  });

  test('the sealed control plane of Trove opens too, and its exception stays in clear', () => {
    const [cast, call, reply, , failure] = controlV1.messages.map(bytesOf);
    for (const [bytes, n] of [
      [cast, 1],
      [call, 2],
    ] as const) {
      const { args, context } = parseRequest(bytes as Buffer);
      expect(openDown(args, context, controlKey).args).toMatchObject({ n });
    }
    expect(openValue(parseReply(reply as Buffer).result, controlKey)).toMatchObject({ n: 2, list: [1, 'b', null] });
    const text = parseReply(failure as Buffer).failure;
    expect(readFailure(text ?? '')).toMatchObject({
      code: 'GUEST_ERROR',
      message: 'An error occurred communicating with the guest: Resource abc cannot be found..',
    });
  });
});

describe('what ours writes', () => {
  test('opens under an independent decoder, value by value, with the context as one of them', () => {
    const key = guestV1.instance_rpc_encr_key ?? '';
    const args = { limit: 20, marker: null, name: 'Grüße 🐬', nested: { list: [1, 'b', null], empty: '' } };
    const context = osloContext({ request_id: 'req-1' });
    const sealed = sealDown(args, context, guestKey);
    const body = writeRequest({
      method: 'list_databases',
      ...sealed,
      version: '1.0',
      uniqueId: 'u',
      callId: 'c',
      replyQueue: 'reply_1',
    });
    const message = openEnvelope(body);
    const opened = message['args'];
    if (!isJsonObject(opened)) throw new Error('no args');
    for (const [name, value] of Object.entries(args))
      expect(JSON.parse(decryptText(textOf(opened, name), key))).toEqual(value);
    expect(JSON.parse(decryptText(textOf(message, '_context_context'), key))).toEqual(context);
    expect(message).toMatchObject({ method: 'list_databases', _msg_id: 'c', _reply_q: 'reply_1', _timeout: null });
  });

  test('is the same JSON text that Python would write, escapes and all', () => {
    expect(pythonJson({ a: ['ü', '🐬', '\u2028', '\u007f', '"\\\n'], b: null, c: 1.5, d: undefined })).toBe(
      '{"a": ["\\u00fc", "\\ud83d\\udc2c", "\\u2028", "\u007f", "\\"\\\\\\n"], "b": null, "c": 1.5}',
    );
  });
});

describe('v1 refuses', () => {
  const [request, , report] = guestV1.messages.map(bytesOf);
  const sealed = parseRequest(request as Buffer);
  const reported = parseRequest(report as Buffer);

  test('an argument in clear among sealed ones', () => {
    expect(() => openDown({ ...sealed.args, marker: null }, sealed.context, guestKey)).toThrow('open');
    expect(() => openDown({ ...sealed.args, marker: 'abc' }, sealed.context, guestKey)).toThrow('open');
  });

  test('bad padding, a wrong key and a cut ciphertext, all alike', () => {
    const limit = textOf(sealed.args, 'limit');
    const bytes = Buffer.from(limit, 'base64');
    bytes[15] = (bytes[15] ?? 0) ^ 1;
    bytes[16] = (bytes[16] ?? 0) ^ 1;
    for (const bad of [bytes.toString('base64'), limit.slice(0, 24), `${limit}!`]) {
      expect(() => openValue(bad, guestKey)).toThrow('open');
    }
    expect(() => openValue(limit, controlKey)).toThrow();
  });

  test("a report under one instance's key that names another anywhere", () => {
    const other = '6f9619ff-8b86-4011-b42d-00c04fc964ff';
    expect(() => openUp(reported.args, reported.context, other, guestKey)).toThrow('foreign_id');
    const entity = JSON.parse(textOf(reported.args, 'payload'));
    const bent = JSON.stringify({ ...entity, 'csz-instance-id': other });
    const instanceId = guestV1.instance_id ?? '';
    expect(() => openUp({ ...reported.args, payload: bent }, reported.context, instanceId, guestKey)).toThrow(
      'foreign_id',
    );
  });
});
