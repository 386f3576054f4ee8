import { readFileSync } from 'node:fs';
import { apiOptions, computeChoices } from '@trove/api';
import { openCatalog } from '@trove/catalog';
import { loadConfig, sharedCatalogUrl } from '@trove/common';
import { assembleManage } from '../assemble_manage.ts';
import { registerDatastores } from '../register_datastores.ts';
import { type DatabaseAccount, makeDatabaseAccounts } from './database_accounts.ts';

export interface CatalogFiles {
  /** `[database] connection` of the account that may change tables. */
  readonly config: string;
  /** The root's password and the accounts to make, as `init` wrote them. */
  readonly accounts: string;
}

/** Makes the catalog's accounts, or gives them back the password and the rights they should have. */
export async function prepareAccounts(files: CatalogFiles): Promise<void> {
  const { rootPassword, accounts } = JSON.parse(readFileSync(files.accounts, 'utf8')) as {
    rootPassword: string;
    accounts: readonly DatabaseAccount[];
  };
  await makeDatabaseAccounts(rootPassword, accounts);
}

/**
 * Brings the catalog to this release: accounts, tables, and a datastore version for each image that is configured. Again, it
 * does nothing. Returns the exit code of `db_sync`.
 */
export async function prepareCatalog(files: CatalogFiles): Promise<number> {
  await prepareAccounts(files);
  const config = loadConfig({ files: [files.config], env: process.env, options: apiOptions, service: 'trove-stack' });
  const code = await assembleManage().run(['--config-file', files.config, 'db_sync']);
  if (code !== 0) return code;
  const catalog = openCatalog({ connection: sharedCatalogUrl(config), poolSize: 1 });
  try {
    const found = await computeChoices(config).images();
    await registerDatastores(catalog, found);
    process.stdout.write(`The catalog is up to date, with ${found.map(({ name }) => name).join(', ')}.\n`);
    return 0;
  } finally {
    await catalog.close();
  }
}
