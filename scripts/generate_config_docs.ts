// Writes docs/configuration.md from the options tables of all services; with `--check` only compares, and fails when it differs.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { optionTables } from './config_docs/option_tables.ts';
import { renderConfigPage } from './config_docs/render.ts';

const file = join(import.meta.dirname, '../docs/configuration.md');
const page = renderConfigPage(await optionTables());
if (!process.argv.includes('--check')) {
  writeFileSync(file, page);
} else if (readFileSync(file, 'utf8') !== page) {
  console.error('docs/configuration.md is stale: run "npm run docs"');
  process.exitCode = 1;
}
