import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CatalogLook } from '../src/demo/looks/catalog_look.ts';

/** Secrets by what they are, such as `password of a user`. */
export type Canaries = ReadonlyMap<string, string>;

/** Everything that was looked through, by where it is. */
export class Sightings {
  readonly #canaries: () => Canaries;
  readonly #found = new Set<string>();
  readonly #controlled = new Set<string>();
  readonly #looked = new Set<string>();

  readonly #control: () => string | undefined;

  /** @param control a text that is no secret and stands in most places: where it is found, the search has looked rightly */
  constructor(canaries: () => Canaries, control: () => string | undefined = () => undefined) {
    this.#canaries = canaries;
    this.#control = control;
  }

  /** Looks for each secret as it is, as base64 and as hex. */
  look(place: string, text: string): void {
    this.#looked.add(place);
    const control = this.#control();
    if (control !== undefined && text.includes(control)) this.#controlled.add(place);
    for (const [what, canary] of this.#canaries()) {
      const forms = [
        canary,
        Buffer.from(canary).toString('base64').replace(/=+$/, ''),
        Buffer.from(canary).toString('hex'),
      ];
      if (forms.some((form) => text.includes(form))) this.#found.add(`${what} in ${place}`);
    }
  }

  found(): string[] {
    return [...this.#found].sort();
  }

  /** The places that were looked through, and those of them in which the control was found. */
  looked(): { readonly places: string[]; readonly controlled: string[] } {
    return { places: [...this.#looked].sort(), controlled: [...this.#controlled].sort() };
  }
}

/** What `ps` shows to everybody: the command line of every process of this machine but this one. */
export function lookAtProcesses(sightings: Sightings): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    try {
      sightings.look('process arguments', readFileSync(join('/proc', pid, 'cmdline'), 'utf8'));
    } catch {
      // it has ended
    }
  }
}

/** Every row of every table. */
export async function lookAtRows(sightings: Sightings, catalog: CatalogLook): Promise<void> {
  const tables = await catalog.select(
    'select table_name as name from information_schema.tables where table_schema = database()',
  );
  for (const { name } of tables) {
    const rows = await catalog.select(`select * from \`${String(name)}\``);
    sightings.look(name === 'tasks' || name === 'task_steps' ? 'task parameters' : 'catalog', JSON.stringify(rows));
  }
}

/** Every log below a folder. */
export function lookAtLogs(sightings: Sightings, folder: string): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/\.(log|err)$/.test(entry.name)) continue;
    const place = /^trove-|^agent\.log$/.test(entry.name) ? entry.name : 'log of a database';
    sightings.look(place, readFileSync(join(entry.parentPath, entry.name), 'utf8'));
  }
}
