import { globSync } from 'node:fs';
import { join } from 'node:path';
import type { OptionSpec } from '../../packages/common/src/index.ts';

export interface OptionTable {
  /** `trove-api` */
  service: string;
  options: readonly OptionSpec[];
}

const root = join(import.meta.dirname, '../..');

/** The options table that each app exports from its `src/options.ts`, `trove-manage` from `src/manage/options.ts`. */
export async function optionTables(): Promise<OptionTable[]> {
  const tables: OptionTable[] = [];
  for (const file of globSync(['apps/*/src/options.ts', 'apps/*/src/manage/options.ts'], { cwd: root }).toSorted()) {
    const [, app = '', , place] = file.split('/');
    const module = (await import(join(root, file))) as Record<string, unknown>;
    const exported = Object.values(module).filter(isTable);
    const [options] = exported;
    if (!options || exported.length > 1)
      throw new Error(`${file} exports ${exported.length} options tables instead of one`);
    tables.push({ service: `trove-${place === 'manage' ? 'manage' : app}`, options });
  }
  return tables;
}

function isTable(value: unknown): value is readonly OptionSpec[] {
  const isSpec = (item: unknown): boolean =>
    typeof item === 'object' && item !== null && 'section' in item && 'help' in item;
  return Array.isArray(value) && value.length > 0 && value.every(isSpec);
}
