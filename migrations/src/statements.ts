import type { TableDefinition } from './definition.ts';

export interface Charset {
  readonly charset: string;
  readonly collation: string;
}

/** What Trove's own migrations gave its tables. */
export const TROVE_CHARSET: Charset = { charset: 'utf8mb3', collation: 'utf8mb3_general_ci' };
const OUR_CHARSET: Charset = { charset: 'utf8mb4', collation: 'utf8mb4_bin' };

const names = (columns: readonly string[]): string => columns.map((column) => `\`${column}\``).join(', ');

/** A column's type for MySQL, with the catalog's charset for ids where it is asked for. */
export function mysqlType(type: string, ids: Charset): string {
  return type.replace('{id}', `CHARACTER SET ${ids.charset} COLLATE ${ids.collation}`);
}

export function sqliteType(type: string): string {
  return type.replace('{id} ', '').replace(/ CHARACTER SET \w+/, '');
}

/** CREATE TABLE with all its indexes: one statement, so that a table is there whole or not at all. */
export function mysqlCreateTable(table: TableDefinition, ids: Charset): string {
  const { charset, collation } = table.ours ? OUR_CHARSET : ids;
  const lines = [
    ...columnLines(table, (type) => mysqlType(type, ids)),
    ...Object.entries(table.uniques ?? {}).map(([name, columns]) => `UNIQUE KEY \`${name}\` (${names(columns)})`),
    ...Object.entries(table.indexes ?? {}).map(([name, columns]) => `KEY \`${name}\` (${names(columns)})`),
    ...constraintLines(table),
  ];
  return `CREATE TABLE IF NOT EXISTS \`${table.name}\` (\n  ${lines.join(',\n  ')}\n) ENGINE=InnoDB DEFAULT CHARSET=${charset} COLLATE=${collation}`;
}

/** CREATE TABLE, then its indexes; SQLite's DDL is part of the transaction it runs in. */
export function sqliteCreateTable(table: TableDefinition, as: string = table.name): string {
  const lines = [...columnLines(table, sqliteType), ...constraintLines(table)];
  return `CREATE TABLE IF NOT EXISTS \`${as}\` (\n  ${lines.join(',\n  ')}\n)`;
}

/** Index names are the whole database's in SQLite, so each carries its table's name. */
export function sqliteIndexes(table: TableDefinition): string[] {
  const create = (kind: string, indexes: TableDefinition['indexes']): string[] =>
    Object.entries(indexes ?? {}).map(([name, columns]) => {
      const own = name.startsWith(table.name) ? name : `${table.name}_${name}`;
      return `CREATE ${kind} IF NOT EXISTS \`${own}\` ON \`${table.name}\` (${names(columns)})`;
    });
  return [...create('UNIQUE INDEX', table.uniques), ...create('INDEX', table.indexes)];
}

/** `CHECK` without a name, as Trove made them: MariaDB calls the first of a table CONSTRAINT_1. */
export function flagCheck(column: string): string {
  return `CHECK (\`${column}\` IN (0, 1))`;
}

export function foreignKeyClause(name: string, key: { column: string; table: string; actions?: string }): string {
  return `CONSTRAINT \`${name}\` FOREIGN KEY (\`${key.column}\`) REFERENCES \`${key.table}\` (\`id\`) ${key.actions ?? ''}`.trimEnd();
}

function columnLines(table: TableDefinition, type: (text: string) => string): string[] {
  return [
    ...Object.entries(table.columns).map(([column, text]) => `\`${column}\` ${type(text)}`),
    `PRIMARY KEY (${names(table.primary)})`,
  ];
}

function constraintLines(table: TableDefinition): string[] {
  return [
    ...Object.entries(table.foreignKeys ?? {}).map(([name, key]) => foreignKeyClause(name, key)),
    ...(table.flags ?? []).map(flagCheck),
  ];
}
