import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Catalog, openCatalog, requireCurrentCatalog } from '@trove/catalog';
import { loadConfig } from '@trove/common';
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

/** What the program touches. */
export interface ManageIo extends Outputs {
  readonly env: Readonly<Record<string, string | undefined>>;
  /**
   * Asks the compute driver that is configured for its images. The program itself knows no compute driver: whoever
   * assembles it hands this in.
   */
  readonly images: (config: ManageConfig) => Promise<readonly ManagedImage[]>;
}

/** One command's view: where it prints, and the catalog for as long as it needs it. */
export interface ManageSession {
  print(text: string): void;
  images(): Promise<readonly ManagedImage[]>;
  withCatalog<T>(work: (catalog: Catalog) => Promise<T>): Promise<T>;
  /** The same, refusing a catalog that is not at the newest version. */
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
    withCatalog,
    withCurrentCatalog: (work) =>
      withCatalog(async (catalog) => {
        await requireCurrentCatalog(catalog);
        return work(catalog);
      }),
  };
}

/** The file of a standalone control plane beside us, else the one that Trove's packages install. */
function defaultFiles(env: ManageIo['env']): string[] {
  const candidates = [join(env['TROVE_HOME'] ?? '.trove', 'trove.conf'), '/etc/trove/trove.conf'];
  return candidates.filter((file) => existsSync(file)).slice(0, 1);
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
