import { DatabaseSync } from 'node:sqlite';
import { createConnection } from 'mysql2/promise';
import type { SqlRow } from '../outside.ts';

/** The catalog as an operator's own SQL client sees it: a connection of its own for each question. */
export interface CatalogLook {
  select(sql: string): Promise<readonly SqlRow[]>;
  columns(table: string): Promise<readonly { name: string; type: string }[]>;
  /** Statements of a set-up, one after the other. */
  run(statements: readonly string[]): Promise<void>;
}

export function lookAtCatalog(connection: string): CatalogLook {
  return connection.startsWith('sqlite:') ? sqliteLook(connection.slice('sqlite:///'.length)) : mysqlLook(connection);
}

function sqliteLook(file: string): CatalogLook {
  const withDatabase = <T>(use: (database: DatabaseSync) => T): T => {
    const database = new DatabaseSync(file, { timeout: 5000 });
    try {
      return use(database);
    } finally {
      database.close();
    }
  };
  const select = async (sql: string) => withDatabase((database) => database.prepare(sql).all().map(plain));
  return {
    select,
    async columns(table) {
      const rows = await select(`select name, type from pragma_table_info('${table}') order by cid`);
      return rows.map(({ name, type }) => ({ name: String(name), type: String(type) }));
    },
    async run(statements) {
      withDatabase((database) => {
        for (const statement of statements) database.exec(statement);
      });
    },
  };
}

function mysqlLook(url: string): CatalogLook {
  const query = async (...statements: readonly string[]): Promise<readonly SqlRow[]> => {
    const connection = await createConnection({
      uri: url,
      dateStrings: true,
      supportBigNumbers: true,
      multipleStatements: true,
    });
    try {
      let rows: unknown = [];
      for (const statement of statements) [rows] = await connection.query(statement);
      return Array.isArray(rows) ? (rows as object[]).map(plain) : [];
    } finally {
      await connection.end();
    }
  };
  return {
    select: (sql) => query(sql),
    async columns(table) {
      const rows = await query(
        `select column_name as name, column_type as type from information_schema.columns
         where table_schema = database() and table_name = '${table}' order by ordinal_position`,
      );
      return rows.map(({ name, type }) => ({ name: String(name), type: String(type) }));
    },
    async run(statements) {
      await query(...statements);
    },
  };
}

function plain(row: object): SqlRow {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      value === null || typeof value === 'number' ? value : String(value),
    ]),
  );
}
