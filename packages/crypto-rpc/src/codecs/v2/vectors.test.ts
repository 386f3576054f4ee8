import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openEnvelope, rootKey } from '../../../test/v2_decoder.ts';
import { controlKey, controlKeyVersion, downlinkKey, keyCheckValue, uplinkKey } from '../../keys/derive.ts';
import { parseHeader } from './header.ts';
import { createOpener } from './open.ts';
import { parseAnswer, parseRequest } from './payload.ts';

type Root = 'uplink' | 'downlink' | 'control';

interface VectorFile {
  readonly instance_key: string;
  readonly control_key: string;
  readonly derived: Readonly<Record<Root | 'kcv', string>> & { readonly control_key_version: number };
  readonly positive: readonly {
    readonly name: string;
    readonly root: Root;
    readonly envelope: string;
    readonly plaintext: string;
  }[];
  readonly negative: readonly {
    readonly name: string;
    readonly root: Root;
    readonly envelope: string;
    readonly reason: string;
  }[];
}

const file: VectorFile = JSON.parse(readFileSync(new URL('../../../vectors/v2.json', import.meta.url), 'utf8'));
const roots = {
  uplink: uplinkKey(file.instance_key),
  downlink: downlinkKey(file.instance_key),
  control: controlKey(file.control_key),
};

/** All that a receiver does to bytes whose sender it knows. */
function openWhole(envelope: Buffer, root: Root): Buffer {
  const header = parseHeader(envelope);
  const opener = createOpener();
  const plaintext = opener.open(roots[root], header, opener.commit(roots[root], header));
  if (header.kind === 'reply' || header.kind === 'error') parseAnswer(header.kind, plaintext);
  else parseRequest(plaintext);
  return plaintext;
}

describe('our own vectors', () => {
  test('derive the same keys by another HKDF', () => {
    for (const root of ['uplink', 'downlink'] as const) {
      expect(rootKey(file.instance_key, root).toString('hex')).toBe(file.derived[root]);
    }
    expect(rootKey(file.control_key, 'control').toString('hex')).toBe(file.derived.control);
    expect(keyCheckValue(file.instance_key)).toBe(file.derived.kcv);
    expect(controlKeyVersion(file.control_key)).toBe(file.derived.control_key_version);
  });

  test.each(file.positive)('open here and under the independent decoder: $name', ({ root, envelope, plaintext }) => {
    const bytes = Buffer.from(envelope, 'hex');
    expect(openWhole(bytes, root).toString('utf8').trimEnd()).toBe(plaintext);
    const key = root === 'control' ? file.control_key : file.instance_key;
    const opened = openEnvelope(bytes, rootKey(key, root));
    expect(opened.plaintext.trimEnd()).toBe(plaintext);
    const header = parseHeader(bytes);
    expect(opened).toMatchObject({
      keyVersion: header.keyVersion,
      messageId: header.messageId.toString('hex'),
      bootNonce: header.bootNonce.toString('hex'),
      sequence: header.sequence.toString(),
      issued: header.issued,
      expires: header.expires,
    });
  });

  test.each(file.negative)('are refused for their reason: $name', ({ root, envelope, reason }) => {
    expect(() => openWhole(Buffer.from(envelope, 'hex'), root)).toThrow(
      expect.objectContaining({ name: 'Refusal', reason }),
    );
    expect({}).not.toHaveProperty('polluted');
  });
});

test('the committed file is what the committed script writes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vectors-'));
  const written = join(folder, 'v2.json');
  const script = fileURLToPath(new URL('../../../scripts/make_v2_vectors.ts', import.meta.url));
  execFileSync(process.execPath, [script, written]);
  expect(JSON.parse(readFileSync(written, 'utf8'))).toEqual(file);
  rmSync(folder, { recursive: true });
});
