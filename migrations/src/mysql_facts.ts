import type { Knex } from 'knex';
import { selectRows } from './dialect.ts';
import { type Charset, TROVE_CHARSET } from './statements.ts';

/** What stands in the schema that the connection is in. Column names are given aliases: MySQL 8 answers in upper case, MariaDB as asked. */
export function mysqlFacts(knex: Knex) {
  const select = (sql: string, ...bindings: string[]): Promise<Record<string, unknown>[]> =>
    selectRows(knex, sql, bindings);
  return {
    async columnNullable(table: string, column: string): Promise<boolean | undefined> {
      const [row] = await select(
        'SELECT is_nullable AS nullable FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ? AND column_name = ?',
        table,
        column,
      );
      return row === undefined ? undefined : row['nullable'] === 'YES';
    },

    async tableExists(table: string): Promise<boolean> {
      const rows = await select(
        'SELECT 1 AS one FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?',
        table,
      );
      return rows.length > 0;
    },

    /** The index's columns in order; none where there is no such index. */
    async indexColumns(table: string, index: string): Promise<string[]> {
      const rows = await select(
        'SELECT column_name AS name FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = ? AND index_name = ? ORDER BY seq_in_index',
        table,
        index,
      );
      return rows.map((row) => String(row['name']));
    },

    async foreignKeyOn(table: string, column: string): Promise<string | undefined> {
      const [row] = await select(
        'SELECT constraint_name AS name FROM information_schema.key_column_usage WHERE table_schema = DATABASE() AND table_name = ? AND column_name = ? AND referenced_table_name IS NOT NULL',
        table,
        column,
      );
      return row === undefined ? undefined : String(row['name']);
    },

    /** The name of the CHECK that speaks of this column. Read from the table's own text, since the two servers list them differently. */
    async checkOn(table: string, column: string): Promise<string | undefined> {
      const [row] = await select(`SHOW CREATE TABLE \`${table}\``);
      const text = row?.['Create Table'];
      const lines = typeof text === 'string' ? text.split('\n') : [];
      const line = lines.find((each) => /^\s*CONSTRAINT `\w+` CHECK/.test(each) && each.includes(`(\`${column}\``));
      return line === undefined ? undefined : /CONSTRAINT `(\w+)`/.exec(line)?.[1];
    },

    async idCharset(): Promise<Charset> {
      const [row] = await select(
        "SELECT character_set_name AS charset, collation_name AS collation FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'instances' AND column_name = 'id'",
      );
      return row === undefined
        ? TROVE_CHARSET
        : { charset: String(row['charset']), collation: String(row['collation']) };
    },
  };
}
