import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeFileDurably } from './durable_file.ts';

test('a file is replaced whole, closed to others, and leaves nothing beside it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'durable-'));
  try {
    const path = join(folder, 'state.json');
    writeFileDurably(path, 'one');
    writeFileDurably(path, 'two');
    expect(readFileSync(path, 'utf8')).toBe('two');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['state.json']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a link at its place is replaced, not written through', () => {
  const folder = mkdtempSync(join(tmpdir(), 'durable-'));
  try {
    writeFileSync(join(folder, 'victim'), 'untouched');
    for (const name of ['state', `state.${process.pid}.partial`]) symlinkSync('victim', join(folder, name));
    writeFileDurably(join(folder, 'state'), 'new');
    expect(readFileSync(join(folder, 'victim'), 'utf8')).toBe('untouched');
    expect(readFileSync(join(folder, 'state'), 'utf8')).toBe('new');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a write that fails leaves the old content, and nothing beside it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'durable-'));
  try {
    const path = join(folder, 'state.json');
    writeFileDurably(path, 'one');
    // Opened and found impossible only then, as on a disk that is full.
    const unwritable = 1 as unknown as string;
    expect(() => writeFileDurably(path, unwritable)).toThrow(TypeError);
    expect(readFileSync(path, 'utf8')).toBe('one');
    expect(readdirSync(folder)).toEqual(['state.json']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
