import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trove-lint-'));
  const compilerOptions = { strict: true, module: 'nodenext', target: 'es2024', noEmit: true };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The rules that find something in a file of this text. */
async function findings(text: string): Promise<string[]> {
  const file = join(folder, 'planted.ts');
  writeFileSync(file, text);
  const oxlint = join(root, 'node_modules/.bin/oxlint');
  const args = ['-c', join(root, '.oxlintrc.json'), '--format', 'json', file];
  // A finding makes oxlint fail; what it found stands on standard output all the same.
  const { stdout } = await promisify(execFile)(oxlint, args, { cwd: folder }).catch(
    (error: { stdout: string }) => error,
  );
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: { code: string }[] };
  return [...new Set(diagnostics.map(({ code }) => code))].toSorted();
}

const HEAD = `
export declare const log: { info(message: string, fields?: object): void; child(fields: object): typeof log };
export declare const id: string;
export declare const deps: { readonly logger: typeof log; readonly apiToken: string };
export declare const password: { reveal(): string };
`;

describe('a log call takes a constant message and an object of fields', () => {
  test.each([
    ['an interpolated message', 'log.info(`took ${id}`);'],
    ['a joined message', "deps.logger.info('took ' + id);"],
    ['a message from elsewhere', 'log.info(id);'],
    ['fields that are a text', "log.info('took', `${id}`);"],
  ])('%s is found', async (_, call) => {
    expect(await findings(`${HEAD}${call}`)).toContain('trove(log-call-shape)');
  });

  test('a constant message with fields is let through', async () => {
    expect(await findings(`${HEAD}log.info('task taken', { id });\ndeps.logger.child({ id }).info('done');`)).toEqual(
      [],
    );
  });
});

describe('nothing named like a key, token or password reaches a logger', () => {
  test.each([
    ['a field', "log.info('x', { instance_key: id });"],
    ['a shorthand field', "log.info('x', { password });"],
    ['a value', "log.info('x', { value: deps.apiToken });"],
    ['a nested value', "log.info('x', { list: [{ a: deps.apiToken }] });"],
    ['a revealed secret', "log.info('x', { text: password.reveal() });"],
    ['a field of a child logger', 'log.child({ token: id });'],
  ])('%s is found', async (_, call) => {
    expect(await findings(`${HEAD}${call}`)).toContain('trove(no-secret-in-log)');
  });

  test('a word that only begins so is let through', async () => {
    expect(await findings(`${HEAD}log.info('x', { key_version: 1, tokenCount: 2 });`)).toEqual([]);
  });
});

describe('nothing random comes from Math.random', () => {
  test.each([
    'export const key = Math.random().toString(36);',
    'export const source = Math.random;',
    "export const source = Math['random'];",
    'export const source = globalThis.Math.random;',
    'const { random } = Math;\nexport const key = random();',
    'const { random: source } = globalThis.Math;\nexport const key = source();',
  ])('%s is found', async (text) => {
    expect(await findings(text)).toContain('trove(no-guessable-random)');
  });

  test('what else Math does is let through', async () => {
    expect(await findings('const { floor } = Math;\nexport const a = floor(1.5) + Math.max(1, 2);')).toEqual([]);
  });
});

describe('the rules that oxlint brings', () => {
  test.each([
    ['typescript(no-floating-promises)', 'export function f(): void { Promise.resolve(1); }'],
    [
      'typescript(no-misused-promises)',
      'export const f = (list: number[]) => list.forEach(async (n) => { await Promise.resolve(n); });',
    ],
    ['typescript(await-thenable)', 'export const f = async (n: number) => { await n; };'],
    ['typescript(only-throw-error)', "export function f(): never { throw 'text'; }"],
    [
      'typescript(switch-exhaustiveness-check)',
      "export function f(a: 'x' | 'y'): void { switch (a) { case 'x': return; } }",
    ],
    ['typescript(consistent-type-imports)', "import { Socket } from 'node:net';\nexport type A = Socket;"],
    ['typescript(no-explicit-any)', 'export type A = any;'],
    ['eslint(no-console)', "console.log('x');"],
    ['eslint(no-warning-comments)', '// TODO later\nexport const a = 1;'],
    ['vitest(no-disabled-tests)', "import { test } from 'vitest';\ntest.skip('x', () => undefined);"],
  ])('%s finds a planted fault', async (rule, text) => {
    expect(await findings(text)).toContain(rule);
  });

  test('import/no-cycle finds a planted cycle', async () => {
    writeFileSync(join(folder, 'other.ts'), "import { a } from './planted.ts';\nexport const b = () => a;\n");
    expect(await findings("import { b } from './other.ts';\nexport const a = () => b;\n")).toContain(
      'import(no-cycle)',
    );
  });
});
