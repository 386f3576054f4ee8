import type { Knex } from 'knex';
import type { Definitions, ForeignKey, TableDefinition } from './definition.ts';

export interface AddColumn {
  readonly kind: 'add_column';
  readonly table: string;
  readonly column: string;
  readonly type: string;
  /** With the name of the index that it stands on. */
  readonly foreignKey?: ForeignKey & { readonly name: string; readonly index: string };
  /** Held to 0 and 1 by a CHECK. */
  readonly flag?: true;
}

export interface DropColumn extends Omit<AddColumn, 'kind'> {
  readonly kind: 'drop_column';
}

export interface ChangeColumn {
  readonly kind: 'change_column';
  readonly table: string;
  readonly column: string;
  readonly from: string;
  readonly to: string;
}

export interface ChangeUnique {
  readonly kind: 'change_unique';
  readonly table: string;
  readonly name: string;
  readonly from: readonly string[];
  readonly to: readonly string[];
}

/** Executes one statement of a data step; each must do nothing when it is run a second time. */
export type RunStatement = (sql: string, bindings?: readonly Knex.RawBinding[]) => Promise<void>;

export interface ChangeData {
  readonly kind: 'change_data';
  readonly up?: (executor: Knex, run: RunStatement) => Promise<void>;
  readonly down?: (executor: Knex, run: RunStatement) => Promise<void>;
}

/** A change of the schema, or of the data that goes with one. Each has an inverse, so that a way down is not written twice. */
export type Operation =
  | { readonly kind: 'create_table'; readonly table: TableDefinition }
  | { readonly kind: 'drop_table'; readonly table: TableDefinition }
  | AddColumn
  | DropColumn
  | ChangeColumn
  | ChangeUnique
  | ChangeData;

/** The operation that takes this one back. */
export function inverse(operation: Operation): Operation {
  switch (operation.kind) {
    case 'create_table':
      return { kind: 'drop_table', table: operation.table };
    case 'drop_table':
      return { kind: 'create_table', table: operation.table };
    case 'add_column':
      return { ...operation, kind: 'drop_column' };
    case 'drop_column':
      return { ...operation, kind: 'add_column' };
    case 'change_column':
    case 'change_unique':
      return { ...operation, from: operation.to, to: operation.from } as ChangeColumn | ChangeUnique;
    case 'change_data':
      return {
        kind: 'change_data',
        ...(operation.down === undefined ? {} : { up: operation.down }),
        ...(operation.up === undefined ? {} : { down: operation.up }),
      };
  }
}

/** The tables as they stand after the operation. */
export function afterOperation(before: Definitions, operation: Operation): Definitions {
  const after = new Map(before);
  switch (operation.kind) {
    case 'create_table':
      return after.set(operation.table.name, operation.table);
    case 'drop_table':
      after.delete(operation.table.name);
      return after;
    case 'change_data':
      return after;
    default:
      return after.set(operation.table, changed(definitionOf(before, operation.table), operation));
  }
}

/** Throws where the table is not there: a migration that names a wrong table. */
export function definitionOf(tables: Definitions, name: string): TableDefinition {
  const table = tables.get(name);
  if (table === undefined) throw new Error(`no table ${name} at this point of the migrations`);
  return table;
}

function changed(
  table: TableDefinition,
  operation: AddColumn | DropColumn | ChangeColumn | ChangeUnique,
): TableDefinition {
  switch (operation.kind) {
    case 'add_column':
      return withColumn(table, operation);
    case 'drop_column':
      return withoutColumn(table, operation);
    case 'change_column':
      return { ...table, columns: { ...table.columns, [operation.column]: operation.to } };
    case 'change_unique':
      return { ...table, uniques: { ...table.uniques, [operation.name]: operation.to } };
  }
}

function withColumn(table: TableDefinition, { column, type, foreignKey, flag }: AddColumn): TableDefinition {
  return {
    ...table,
    columns: { ...table.columns, [column]: type },
    ...(flag ? { flags: [...(table.flags ?? []), column] } : {}),
    ...(foreignKey
      ? {
          indexes: { ...table.indexes, [foreignKey.index]: [column] },
          foreignKeys: { ...table.foreignKeys, [foreignKey.name]: foreignKey },
        }
      : {}),
  };
}

function withoutColumn(table: TableDefinition, { column, foreignKey }: DropColumn): TableDefinition {
  const without = <T>(record: Readonly<Record<string, T>> | undefined, name: string | undefined): Record<string, T> =>
    Object.fromEntries(Object.entries(record ?? {}).filter(([key]) => key !== name));
  return {
    ...table,
    columns: without(table.columns, column),
    indexes: without(table.indexes, foreignKey?.index),
    foreignKeys: without(table.foreignKeys, foreignKey?.name),
    flags: (table.flags ?? []).filter((flag) => flag !== column),
  };
}
