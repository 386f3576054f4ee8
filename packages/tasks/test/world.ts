import { appendFileSync, closeSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** What stands outside the catalog: things made under a token, which refuse to be made twice. */
export interface World {
  /** False where a thing of this token was there already. */
  create(instanceId: string, thing: string, token: string): boolean;
  has(instanceId: string, thing: string, token: string): boolean;
  /** Removes what stands under the token, or every such thing of the instance; "not there" is success. */
  remove(instanceId: string, thing: string, token?: string): void;
  /** The things of an instance, as `thing.token`, sorted. */
  things(instanceId: string): string[];
  /** Each change that took place, oldest first: `instance create|remove thing token`. */
  changes(): string[];
}

/** A folder as the world: files made exclusively, and a log that all processes append to. */
export class FolderWorld implements World {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  create(instanceId: string, thing: string, token: string): boolean {
    try {
      closeSync(openSync(join(this.#folder, `${instanceId}.${thing}.${token}`), 'wx'));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
      throw error;
    }
    this.#log(instanceId, 'create', thing, token);
    return true;
  }

  has(instanceId: string, thing: string, token: string): boolean {
    return this.things(instanceId).includes(`${thing}.${token}`);
  }

  remove(instanceId: string, thing: string, token?: string): void {
    for (const name of this.things(instanceId)) {
      if (token === undefined ? !name.startsWith(`${thing}.`) : name !== `${thing}.${token}`) continue;
      rmSync(join(this.#folder, `${instanceId}.${name}`), { force: true });
      this.#log(instanceId, 'remove', ...name.split('.'));
    }
  }

  things(instanceId: string): string[] {
    const own = readdirSync(this.#folder).filter((name) => name.startsWith(`${instanceId}.`));
    return own.map((name) => name.slice(instanceId.length + 1)).sort();
  }

  changes(): string[] {
    return readFileSync(join(this.#folder, 'log'), { encoding: 'utf8', flag: 'a+' }).split('\n').slice(0, -1);
  }

  #log(...words: string[]): void {
    appendFileSync(join(this.#folder, 'log'), `${words.join(' ')}\n`);
  }
}

/** The same in memory, for runs in one process. */
export class MemoryWorld implements World {
  readonly #things = new Set<string>();
  readonly #changes: string[] = [];

  create(instanceId: string, thing: string, token: string): boolean {
    const name = `${instanceId}.${thing}.${token}`;
    if (this.#things.has(name)) return false;
    this.#things.add(name);
    this.#changes.push(`${instanceId} create ${thing} ${token}`);
    return true;
  }

  has(instanceId: string, thing: string, token: string): boolean {
    return this.#things.has(`${instanceId}.${thing}.${token}`);
  }

  remove(instanceId: string, thing: string, token?: string): void {
    for (const name of this.#things) {
      if (!`${name}.`.startsWith(`${instanceId}.${thing}.${token === undefined ? '' : `${token}.`}`)) continue;
      this.#things.delete(name);
      this.#changes.push(`${instanceId} remove ${name.slice(instanceId.length + 1).replace('.', ' ')}`);
    }
  }

  things(instanceId: string): string[] {
    const own = [...this.#things].filter((name) => name.startsWith(`${instanceId}.`));
    return own.map((name) => name.slice(instanceId.length + 1)).sort();
  }

  changes(): string[] {
    return [...this.#changes];
  }
}
