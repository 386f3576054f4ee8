import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
let folder: string;

/** Two workspaces of our shape under our settings, with one fault of each kind. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trove-unused-'));
  const plant = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  cpSync(join(root, 'knip.json'), join(folder, 'knip.json'));
  plant('package.json', JSON.stringify({ name: 'root', private: true, type: 'module', workspaces: ['packages/*'] }));
  const manifest = { version: '1.0.0', type: 'module', exports: { '.': './src/index.ts' } };
  plant('packages/one/package.json', JSON.stringify({ name: '@x/one', ...manifest, dependencies: { pino: '*' } }));
  plant('packages/two/package.json', JSON.stringify({ name: '@x/two', ...manifest, dependencies: { '@x/one': '*' } }));
  plant('packages/one/src/index.ts', "export { used, neverImported } from './parts.ts';\n");
  plant(
    'packages/one/src/parts.ts',
    'export const used = 1;\nexport const neverImported = 2;\nexport const leftOver = 3;\nexport interface LeftOverType { a: 1 }\n',
  );
  plant('packages/one/src/forgotten.ts', 'export const forgotten = 1;\n');
  plant('packages/two/src/index.ts', "import { used } from '@x/one';\nconsole.log(used);\n");
  mkdirSync(join(folder, 'node_modules/@x'), { recursive: true });
  for (const name of ['one', 'two']) symlinkSync(join(folder, 'packages', name), join(folder, 'node_modules/@x', name));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function knip(...args: string[]): Promise<string> {
  const command = join(root, 'node_modules/.bin/knip');
  const { stdout } = await promisify(execFile)(command, args, { cwd: folder }).catch(
    (error: { stdout: string }) => error,
  );
  return stdout;
}

test.each(['leftOver ', 'LeftOverType', 'forgotten.ts', 'pino'])('%s, which nothing uses, is found', async (name) => {
  expect(await knip()).toContain(name);
});

test('what a package exports and no other package imports is found, and what one imports is not', async () => {
  const found = await knip('--include-entry-exports', '--exclude', 'types');
  expect(found).toContain('neverImported');
  expect(found).not.toMatch(/\bused\b/);
});
