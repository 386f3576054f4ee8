import type { Knex } from 'knex';
import type { TableDefinition } from './definition.ts';
import { selectRows } from './dialect.ts';
import { refuseNulls, type SchemaEditor } from './editor.ts';
import { definitionOf, type RunStatement } from './operations.ts';
import { sqliteCreateTable, sqliteIndexes, sqliteType } from './statements.ts';

/**
 * SQLite's DDL belongs to the transaction that it runs in, so a migration is there whole or not at all. What ALTER TABLE
 * cannot do is done by SQLite's documented procedure: a new table, the rows copied, the old one dropped, the new one renamed.
 */
export function sqliteEditor(executor: Knex, run: RunStatement): SchemaEditor {
  async function columnsOf(table: string): Promise<string[]> {
    const rows = await selectRows(executor, `PRAGMA table_info(\`${table}\`)`);
    return rows.map((row) => String(row['name']));
  }

  async function create(table: TableDefinition): Promise<void> {
    await run(sqliteCreateTable(table));
    for (const index of sqliteIndexes(table)) await run(index);
  }

  async function rebuild(table: TableDefinition): Promise<void> {
    const copy = `${table.name}__new`;
    const old = new Set(await columnsOf(table.name));
    const kept = Object.keys(table.columns)
      .filter((column) => old.has(column))
      .map((column) => `\`${column}\``)
      .join(', ');
    await run(sqliteCreateTable(table, copy));
    await run(`INSERT INTO \`${copy}\` (${kept}) SELECT ${kept} FROM \`${table.name}\``);
    await run(`DROP TABLE \`${table.name}\``);
    await run(`ALTER TABLE \`${copy}\` RENAME TO \`${table.name}\``);
    for (const index of sqliteIndexes(table)) await run(index);
  }

  return {
    async apply(operation, after) {
      switch (operation.kind) {
        case 'create_table':
          return create(operation.table);
        case 'drop_table':
          return run(`DROP TABLE IF EXISTS \`${operation.table.name}\``);
        case 'change_data':
          return operation.up?.(executor, run);
        case 'add_column': {
          const { table, column, type, foreignKey, flag } = operation;
          if (foreignKey || flag) return rebuild(definitionOf(after, table));
          if ((await columnsOf(table)).includes(column)) return;
          return run(`ALTER TABLE \`${table}\` ADD COLUMN \`${column}\` ${sqliteType(type)}`);
        }
        case 'change_column':
          if (operation.to.endsWith('NOT NULL')) await refuseNulls(executor, operation.table, operation.column);
          return rebuild(definitionOf(after, operation.table));
        default:
          return rebuild(definitionOf(after, operation.table));
      }
    },
  };
}
