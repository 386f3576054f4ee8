import type { Knex } from 'knex';
import type { Definitions } from './definition.ts';
import { MigrationError } from './errors.ts';
import type { Operation } from './operations.ts';

/** Applies operations to one database. Every statement is preceded by a look whether its effect is there already. */
export interface SchemaEditor {
  /** @param after the tables as they are to stand after the operation */
  apply(operation: Operation, after: Definitions): Promise<void>;
}

/** Before a column is made NOT NULL: rows without a value would stop the statement with an error that names no row. */
export async function refuseNulls(executor: Knex, table: string, column: string): Promise<void> {
  const row: unknown = await executor(table).whereNull(column).first('id');
  if (row !== undefined) {
    throw new MigrationError(
      `${table}.${column} is NULL in some rows, which the earlier version cannot hold: fill them first`,
    );
  }
}
