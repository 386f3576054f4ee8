import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');

/** `a/{b,c}/d` as `a/b/d` and `a/c/d`; a part in angle brackets stands for any name. */
function patternsIn(text: string): string[] {
  const quoted = [...text.matchAll(/`((?:apps|packages|migrations|docs|scripts)\/[^`\s]*)`/g)].map(
    ([, path]) => path ?? '',
  );
  return quoted.map((path) => path.replaceAll(/<[a-z]+>/g, '*').replace(/\/$/, ''));
}

test.each(['README.md', 'CONTRIBUTING.md', ...globSync('docs/**/*.md', { cwd: root })])(
  'every file that %s names is there',
  (page) => {
    const text = readFileSync(join(root, page), 'utf8');
    expect(patternsIn(text).filter((pattern) => globSync(pattern, { cwd: root }).length === 0)).toEqual([]);
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, target]) => target ?? '');
    expect(links.filter((target) => !existsSync(join(root, page, '..', target)))).toEqual([]);
  },
);

test('a name that is not there is found', () => {
  const patterns = patternsIn('see `packages/common/src/nowhere.ts` and `packages/{common,catalog}/src/index.ts`');
  expect(patterns.filter((pattern) => globSync(pattern, { cwd: root }).length === 0)).toEqual([
    'packages/common/src/nowhere.ts',
  ]);
});
