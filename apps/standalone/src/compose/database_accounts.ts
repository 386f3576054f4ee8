import { createConnection } from 'mysql2/promise';
import { CATALOG, catalog } from './service_files.ts';

export interface DatabaseAccount {
  readonly user: string;
  /** Letters and digits. */
  readonly password: string;
  /** On the catalog; nothing else is granted. */
  readonly rights: string;
}

/** As root of the database server; what is as it should be stays so. */
export async function makeDatabaseAccounts(rootPassword: string, accounts: readonly DatabaseAccount[]): Promise<void> {
  const connection = await createConnection(catalog('root', rootPassword));
  try {
    for (const { user, password, rights } of accounts) {
      await connection.query(`CREATE USER IF NOT EXISTS '${user}'@'%' IDENTIFIED BY '${password}'`);
      await connection.query(`ALTER USER '${user}'@'%' IDENTIFIED BY '${password}'`);
      await connection.query(`GRANT ${rights} ON \`${CATALOG}\`.* TO '${user}'@'%'`);
    }
  } finally {
    await connection.end();
  }
}
