import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { newUuid, TroveError } from '@trove/common';
import type { DatabaseSpec, Datastore, DatastorePlace, Page, PageRequest, UserInfo, UserSpec } from '@trove/datastores';
import { tookEffect } from './effects.ts';

interface Content {
  readonly databases: readonly DatabaseSpec[];
  readonly users: readonly UserSpec[];
}

/** Long enough to be killed in. */
const WORK_MS = 60;

export class LightDatastore implements Datastore {
  readonly #contentFile: string;
  readonly #processFile: string;

  constructor({ dataDir, runDir }: DatastorePlace) {
    this.#contentFile = join(dataDir, 'content.json');
    this.#processFile = join(runDir, 'light_database');
  }

  async initialise(): Promise<void> {
    if (existsSync(this.#contentFile)) return;
    await delay(WORK_MS);
    this.#write({ databases: [], users: [] });
    tookEffect('initialise');
  }

  async start(): Promise<void> {
    if (existsSync(this.#processFile)) return;
    await delay(WORK_MS);
    replaceFile(this.#processFile, newUuid());
    tookEffect('start');
  }

  async stop(): Promise<void> {
    await delay(WORK_MS);
    rmSync(this.#processFile, { force: true });
  }

  async status(): Promise<'healthy' | 'stopped'> {
    return existsSync(this.#processFile) ? 'healthy' : 'stopped';
  }

  incarnation(): string | null {
    return existsSync(this.#processFile) ? readFileSync(this.#processFile, 'utf8') : null;
  }

  async createDatabases(databases: readonly DatabaseSpec[]): Promise<void> {
    for (const database of databases) {
      const content = this.#read();
      if (content.databases.some(({ name }) => name === database.name)) continue;
      await delay(WORK_MS / 2);
      this.#write({ ...content, databases: [...content.databases, database] });
      tookEffect(`database ${database.name}`);
    }
  }

  async deleteDatabase(name: string): Promise<void> {
    const content = this.#read();
    const databases = content.databases.filter((database) => database.name !== name);
    if (databases.length === content.databases.length)
      throw new TroveError('DATABASE_NOT_FOUND', `There is no database ${name}.`);
    this.#write({ ...content, databases });
  }

  async listDatabases({ limit, marker, includeMarker }: PageRequest): Promise<Page<DatabaseSpec>> {
    const after = (name: string): boolean => marker === null || name > marker || (includeMarker && name === marker);
    const items = this.#read()
      .databases.filter(({ name }) => after(name))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const shown = limit === null ? items : items.slice(0, limit);
    return { items: shown, nextMarker: shown.length < items.length ? (shown.at(-1)?.name ?? null) : null };
  }

  async createUsers(users: readonly UserSpec[]): Promise<void> {
    await this.ensureUsers(users);
  }

  async ensureUsers(users: readonly UserSpec[]): Promise<void> {
    const content = this.#read();
    const others = content.users.filter(({ name }) => !users.some((user) => user.name === name));
    this.#write({ ...content, users: [...others, ...users] });
  }

  async listUsers(): Promise<Page<UserInfo>> {
    const items = this.#read().users.map(({ name, host, databases }) => ({ name, host: host ?? '%', databases }));
    return { items, nextMarker: null };
  }

  #read(): Content {
    if (!existsSync(this.#processFile)) throw new TroveError('GUEST_ERROR', 'The database does not run.');
    return JSON.parse(readFileSync(this.#contentFile, 'utf8')) as Content;
  }

  #write(content: Content): void {
    replaceFile(this.#contentFile, JSON.stringify(content));
  }
}

function replaceFile(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
