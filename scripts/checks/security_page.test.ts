import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const ATTACKS = 45;
/** Where the tests stand that are named by an attack's number. */
const NUMBERED = 'apps/standalone/test/attacks/';

interface Proof {
  readonly path: string;
  /** Parts of a test's title that are in the file, each in this order. */
  readonly titles: readonly string[];
}

interface Row {
  readonly attack: string;
  readonly proofs: readonly Proof[];
  /** What stands there instead of a proof. */
  readonly reason: string;
}

/** The rows of the table of attacks; `` `path` (title; title) `` is a proof, and so is the path alone. */
function rowsIn(page: string): Row[] {
  const lines = page.split('\n').filter((line) => /^\| A\d+ \|/.test(line));
  return lines.map((line) => {
    const [, attack = '', , , proven = ''] = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
    const found = [...proven.matchAll(/`([\w./-]+)`(?: \(([^()]*)\))?/g)];
    const proofs = found.map(([, path = '', titles = '']) => ({
      path: pathOf(path),
      titles: titles
        .split(';')
        .map((title) => title.trim())
        .filter((title) => title !== ''),
    }));
    return { attack, proofs, reason: proven.replaceAll(/`[\w./-]+`(?: \([^()]*\))?,?/g, '').trim() };
  });
}

function pathOf(named: string): string {
  const places = named.startsWith('attacks/')
    ? [`apps/standalone/test/${named}`]
    : [`apps/${named}`, `packages/${named}`, named];
  return globSync(places, { cwd: root })[0] ?? `no such file: ${named}`;
}

/** The titles of a file's tests and groups; of any other file, all of it. */
function titlesIn(path: string): string[] {
  const text = readFileSync(join(root, path), 'utf8');
  if (!path.endsWith('.test.ts')) return [text];
  return [...text.matchAll(/\(\s*(['"`])((?:\\.|(?!\1).)*)\1,/g)].map(([, , title]) =>
    (title ?? '').replaceAll('\\', ''),
  );
}

/** A part may leave out words of the title with an ellipsis. */
function isTitle(part: string, titles: readonly string[]): boolean {
  const words = part.split('…').map((piece) => piece.trim());
  return titles.some((title) => {
    let from = 0;
    return words.every((piece) => {
      const at = title.indexOf(piece, from);
      from = at + piece.length;
      return at >= 0;
    });
  });
}

/** What is wrong with a row; empty where every proof is there. */
function faultsOf({ attack, proofs, reason }: Row): string[] {
  if (proofs.length === 0) return reason.length < 30 ? [`${attack} has neither a test nor a reason`] : [];
  return proofs.flatMap(({ path, titles }) => {
    if (path.startsWith('no such file')) return [`${attack}: ${path}`];
    const there = titlesIn(path);
    const missing = titles
      .filter((title) => !isTitle(title, there))
      .map((title) => `${attack}: "${title}" is not in ${path}`);
    const numbered = there.some((title) => title.startsWith(`${attack}:`));
    return path.startsWith(NUMBERED) && !numbered
      ? [...missing, `${attack}: no test of this number is in ${path}`]
      : missing;
  });
}

describe('the table of attacks', () => {
  const rows = rowsIn(readFileSync(join(root, 'docs/security.md'), 'utf8'));

  test('has every attack once', () => {
    expect(rows.map(({ attack }) => attack)).toEqual(Array.from({ length: ATTACKS }, (_, at) => `A${at + 1}`));
  });

  test('names tests that are there, or says why there is none', () => {
    expect(rows.flatMap(faultsOf)).toEqual([]);
  });

  test('names every test that an attack has', () => {
    const files = globSync(['apps/**/*.test.ts', 'packages/**/*.test.ts'], {
      cwd: root,
      exclude: (name) => name.includes('node_modules'),
    });
    const tested = files.flatMap((path) =>
      titlesIn(path).flatMap(
        (title) =>
          /^(A\d+):/
            .exec(title)
            ?.slice(1)
            .map((attack) => ({ attack, path })) ?? [],
      ),
    );
    const untold = tested.filter(
      ({ attack, path }) =>
        !rows.some((row) => row.attack === attack && row.proofs.some((proof) => proof.path === path)),
    );
    expect(untold).toEqual([]);
    expect(tested.length).toBeGreaterThan(25);
  });

  test.each([
    ['a file that is not there', '| A1 | x | y | `attacks/nowhere.test.ts` |'],
    ['a title that is not there', '| A1 | x | y | `attacks/as_the_broker.test.ts` (no such title at all) |'],
    ['a number that has no test in the file', '| A2 | x | y | `attacks/as_a_guest.test.ts` |'],
    ['nothing', '| A1 | x | y | |'],
  ])('would not pass with %s', (_, line) => {
    expect(rowsIn(line).flatMap(faultsOf)).not.toEqual([]);
  });
});
