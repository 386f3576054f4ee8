import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isOurOption } from '../../packages/common/src/config/known_options.ts';
import { optionTables } from './option_tables.ts';
import { renderConfigPage } from './render.ts';
import { renderErrorsPage } from './render_errors.ts';

const help = 'For this test.';

test('docs/configuration.md is what the tables say; "npm run docs" writes it', async () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/configuration.md'), 'utf8');
  expect(page).toBe(renderConfigPage(await optionTables()));
});

test('docs/errors.md is what the code says, each code with its name in Trove; "npm run docs" writes it', () => {
  const page = renderErrorsPage();
  expect(readFileSync(join(import.meta.dirname, '../../docs/errors.md'), 'utf8')).toBe(page);
  expect(page).not.toContain('undefined');
});

test('every service accepts the options of every other, so that they can share a file', async () => {
  const all = (await optionTables()).flatMap(({ options }) => options);
  const names = all.map(({ section, name, type }) => ({ section, name: type === 'map' ? `${name}.x` : name }));
  expect(names.filter(({ section, name }) => !isOurOption(section, name))).toEqual([]);
});

test('an option of two services stands once, with both', () => {
  const option = { section: 'DEFAULT', name: 'depth', type: 'integer', default: 3, unit: 'm', min: 1, help } as const;
  const tables = [
    { service: 'trove-a', options: [option] },
    { service: 'trove-b', options: [option] },
  ];
  const page = renderConfigPage(tables);
  expect(page.match(/### depth/g)).toHaveLength(1);
  expect(page).toContain('whole number of m, at least 1 · default `3` · `TROVE_DEPTH`');
  expect(page).toContain('Read by trove-a, trove-b.');
});

test('one option with two meanings is refused', () => {
  const tables = [3, 4].map((value) => ({
    service: `trove-${value}`,
    options: [{ section: 'DEFAULT', name: 'depth', type: 'integer', default: value, help } as const],
  }));
  expect(() => renderConfigPage(tables)).toThrow(/\[DEFAULT\] depth differs between trove-3 and trove-4/);
});
