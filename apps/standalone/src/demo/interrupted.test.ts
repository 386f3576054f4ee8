import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const PROGRAM = join(import.meta.dirname, '..', '..', '..', '..', 'scripts', 'demo.ts');

test('a demo that is interrupted says so, and takes away what it has made', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'trove-interrupted-'));
  const child = spawn(process.execPath, [PROGRAM], { env: { ...process.env, TMPDIR: folder } });
  let [said, complained] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString('utf8');
    // A second signal would end it at once.
    if (!child.killed && said.includes('== 1.')) child.kill('SIGINT');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    complained += chunk.toString('utf8');
  });
  try {
    expect(await once(child, 'exit'), complained).toEqual([130, null]);
    expect(said).toContain('what was made is taken away');
    expect(readdirSync(folder)).toEqual([]);
  } finally {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
});
