// Writes docs/configuration.md from the options tables of all services and docs/errors.md from the error codes; with `--check`
// only compares, and fails when one differs.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { optionTables } from './config_docs/option_tables.ts';
import { renderConfigPage } from './config_docs/render.ts';
import { renderErrorsPage } from './config_docs/render_errors.ts';

const pages = { 'configuration.md': renderConfigPage(await optionTables()), 'errors.md': renderErrorsPage() };
for (const [name, page] of Object.entries(pages)) {
  const file = join(import.meta.dirname, '../docs', name);
  if (!process.argv.includes('--check')) {
    writeFileSync(file, page);
  } else if (readFileSync(file, 'utf8') !== page) {
    console.error(`docs/${name} is stale: run "npm run docs"`);
    process.exitCode = 1;
  }
}
