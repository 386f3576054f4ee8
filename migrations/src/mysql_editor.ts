import type { Knex } from 'knex';
import { refuseNulls, type SchemaEditor } from './editor.ts';
import { mysqlFacts } from './mysql_facts.ts';
import type { AddColumn, ChangeColumn, ChangeUnique, DropColumn, RunStatement } from './operations.ts';
import { flagCheck, foreignKeyClause, mysqlCreateTable, mysqlType } from './statements.ts';

/** MySQL commits each DDL statement by itself, so each is made only where its effect is not there yet. */
export function mysqlEditor(knex: Knex, run: RunStatement): SchemaEditor {
  const facts = mysqlFacts(knex);

  async function addColumn({ table, column, type, foreignKey, flag }: AddColumn): Promise<void> {
    if ((await facts.columnNullable(table, column)) === undefined) {
      await run(`ALTER TABLE \`${table}\` ADD COLUMN \`${column}\` ${mysqlType(type, await facts.idCharset())}`);
    }
    if (flag && (await facts.checkOn(table, column)) === undefined)
      await run(`ALTER TABLE \`${table}\` ADD ${flagCheck(column)}`);
    if (!foreignKey) return;
    if ((await facts.indexColumns(table, foreignKey.index)).length === 0) {
      await run(`ALTER TABLE \`${table}\` ADD KEY \`${foreignKey.index}\` (\`${column}\`)`);
    }
    if ((await facts.foreignKeyOn(table, column)) === undefined) {
      await run(`ALTER TABLE \`${table}\` ADD ${foreignKeyClause(foreignKey.name, foreignKey)}`);
    }
  }

  async function dropColumn({ table, column }: DropColumn): Promise<void> {
    const foreignKey = await facts.foreignKeyOn(table, column);
    if (foreignKey !== undefined) await run(`ALTER TABLE \`${table}\` DROP FOREIGN KEY \`${foreignKey}\``);
    const check = await facts.checkOn(table, column);
    if (check !== undefined) await run(`ALTER TABLE \`${table}\` DROP CONSTRAINT \`${check}\``);
    if ((await facts.columnNullable(table, column)) !== undefined)
      await run(`ALTER TABLE \`${table}\` DROP COLUMN \`${column}\``);
  }

  async function changeColumn({ table, column, to }: ChangeColumn): Promise<void> {
    const nullable = !to.endsWith('NOT NULL');
    if ((await facts.columnNullable(table, column)) === nullable) return;
    if (!nullable) await refuseNulls(knex, table, column);
    await run(`ALTER TABLE \`${table}\` MODIFY COLUMN \`${column}\` ${mysqlType(to, await facts.idCharset())}`);
  }

  async function changeUnique({ table, name, to }: ChangeUnique): Promise<void> {
    const present = await facts.indexColumns(table, name);
    if (present.join() === to.join()) return;
    // One statement: a foreign key may stand on the old index and must find the new one at once.
    const drop = present.length > 0 ? `DROP INDEX \`${name}\`, ` : '';
    await run(
      `ALTER TABLE \`${table}\` ${drop}ADD UNIQUE KEY \`${name}\` (${to.map((column) => `\`${column}\``).join(', ')})`,
    );
  }

  return {
    async apply(operation) {
      switch (operation.kind) {
        case 'create_table':
          if (await facts.tableExists(operation.table.name)) return;
          return run(mysqlCreateTable(operation.table, await facts.idCharset()));
        case 'drop_table':
          return run(`DROP TABLE IF EXISTS \`${operation.table.name}\``);
        case 'add_column':
          return addColumn(operation);
        case 'drop_column':
          return dropColumn(operation);
        case 'change_column':
          return changeColumn(operation);
        case 'change_unique':
          return changeUnique(operation);
        case 'change_data':
          return operation.up?.(knex, run);
      }
    },
  };
}
