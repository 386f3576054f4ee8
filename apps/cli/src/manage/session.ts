import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  type AllRings,
  type Catalog,
  type InvariantDeps,
  type NamedSecret,
  openCatalog,
  requireCurrentCatalog,
} from '@trove/catalog';
import { checkPublishedKeys, loadConfig } from '@trove/common';
import { CliError, EXIT } from '../exit.ts';
import type { Outputs } from '../program.ts';
import { type ManageConfig, manageOptions } from './options.ts';

/** An image as the compute driver has it. */
export interface ManagedImage {
  readonly id: string;
  readonly name: string;
  readonly manager: string;
  readonly version: string;
}

/** What there is besides the catalog, as far as it can be seen from here. */
export interface Outside extends Pick<InvariantDeps, 'things' | 'flavors' | 'broker'> {
  /** Of these files: what must not be in a log. */
  readonly secrets: readonly NamedSecret[];
  /** For as many seconds; SIGINT and SIGTERM end it. */
  readonly tap: (seconds: number) => NonNullable<InvariantDeps['bus']>;
}

/** Where configuration comes from. */
export interface ConfigSources {
  readonly files: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** What the program touches. */
export interface ManageIo extends Outputs {
  readonly env: Readonly<Record<string, string | undefined>>;
  /**
   * Asks the compute driver that is configured for its images. The program itself knows no compute driver: whoever
   * assembles it hands this in.
   */
  readonly images: (config: ManageConfig) => Promise<readonly ManagedImage[]>;
  /**
   * Files the task that changes an instance's key; resolves with its id. Rejects with `NOT_FOUND` or `UNPROCESSABLE`. Handed
   * in like `images`: the program itself knows no tasks.
   */
  readonly rotate: (catalog: Catalog, instanceId: string) => Promise<string>;
  /** Files the task that makes a new server for an instance whose guest cannot be asked; likewise. */
  readonly rebuild: ManageIo['rotate'];
  /** Compute and broker, for `check`; handed in likewise. */
  readonly outside: (sources: ConfigSources) => Promise<Outside>;
}

/** One command's view: where it prints, and the catalog for as long as it needs it. */
export interface ManageSession {
  print(text: string): void;
  images(): Promise<readonly ManagedImage[]>;
  rotate: ManageIo['rotate'];
  rebuild: ManageIo['rebuild'];
  outside(): Promise<Outside>;
  withCatalog<T>(work: (catalog: Catalog) => Promise<T>): Promise<T>;
  /** The keys of the files. Throws where they hold none, or one that Trove published and that is not allowed. */
  keyRings(): AllRings;
  /** The same as `withCatalog`, refusing a catalog that is not at the newest version. */
  withCurrentCatalog<T>(work: (catalog: Catalog) => Promise<T>): Promise<T>;
}

export function createManageSession(io: ManageIo, givenFiles: () => readonly string[]): ManageSession {
  const files = (): readonly string[] => {
    const given = givenFiles();
    return given.length > 0 ? given : defaultFiles(io.env);
  };
  const withCatalog = async <T>(work: (catalog: Catalog) => Promise<T>): Promise<T> => {
    // Two at least: one works, one renews the migration lock.
    const catalog = openCatalog({ connection: connectionOf(files(), io.env), poolSize: 3 });
    try {
      return await work(catalog);
    } finally {
      await catalog.close();
    }
  };
  return {
    print: (text) => void io.stdout.write(text),
    images: async () => io.images(readConfig(files(), io.env)),
    rotate: io.rotate,
    rebuild: io.rebuild,
    outside: () => io.outside({ files: files(), env: io.env }),
    withCatalog,
    keyRings: () => keyRingsOf(files(), io.env),
    withCurrentCatalog: (work) =>
      withCatalog(async (catalog) => {
        await requireCurrentCatalog(catalog);
        return work(catalog);
      }),
  };
}

/** The file of a standalone control plane beside us, else the one that Trove's packages install. */
function defaultFiles(env: ManageIo['env']): string[] {
  const home = env['TROVE_HOME'] ?? '.trove';
  const candidates = [[join(home, 'trove.conf'), join(home, 'keys/keys.conf')], ['/etc/trove/trove.conf']];
  const found = candidates.map((files) => files.filter((file) => existsSync(file)));
  return found.find((files) => files.length > 0) ?? [];
}

function keyRingsOf(files: readonly string[], env: ManageIo['env']): AllRings {
  const { DEFAULT: keys } = loadConfig({ files, env, options: manageOptions, service: 'trove-manage' });
  checkPublishedKeys(keys);
  if (keys.inst_rpc_key_encr_key.length === 0)
    throw new CliError(
      EXIT.usage,
      "the files hold no inst_rpc_key_encr_key: give the taskmanager's, which has all keys",
    );
  return {
    control: keys.taskmanager_rpc_encr_key,
    instance: keys.inst_rpc_key_encr_key,
    uplink: keys.inst_rpc_uplink_encr_key,
    format: keys.at_rest_format,
  };
}

function readConfig(files: readonly string[], env: ManageIo['env']): ManageConfig {
  return loadConfig({ files, env, options: manageOptions, service: 'trove-manage' });
}

function connectionOf(files: readonly string[], env: ManageIo['env']): string {
  const { connection } = readConfig(files, env).database;
  if (connection !== undefined) return connection.reveal();
  const where = files.length > 0 ? `not set in ${files.join(', ')}` : 'not set: give --config-file FILE';
  throw new CliError(EXIT.usage, `[database] connection is ${where}, or set TROVE_DATABASE__CONNECTION`);
}
