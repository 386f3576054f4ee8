import type { Knex } from 'knex';
import { dialectOf } from '../dialect.ts';

/** A column of a batch that travels as one JSON parameter: its name in SQL, its member in JSON, its type in MySQL. */
export interface BatchColumn {
  readonly name: string;
  readonly type: 'id' | 'int' | 'bigint' | 'double' | 'text';
}

const MYSQL_TYPES = { int: 'int', bigint: 'bigint', double: 'double', text: 'varchar(255)' } as const;
const SQLITE_TYPES = { id: 'TEXT', int: 'INTEGER', bigint: 'INTEGER', double: 'REAL', text: 'TEXT' } as const;

/**
 * Charset and collation of `instances.id`, as SQL. A batch's id column must have the same, or MySQL joins it to the tables by
 * a full scan. Empty for SQLite. The same for the catalog's whole life: ask once.
 */
export async function instanceIdCollation(executor: Knex): Promise<string> {
  if (dialectOf(executor) === 'sqlite') return '';
  const row = await executor('information_schema.columns')
    .where({ table_name: 'instances', column_name: 'id' })
    .whereRaw('table_schema = DATABASE()')
    .first({ charset: 'character_set_name', collation: 'collation_name' });
  const words = [String(row?.charset), String(row?.collation)];
  if (!words.every((word) => /^\w+$/.test(word))) throw new RangeError('instances.id has no charset and collation');
  return `CHARACTER SET ${words[0]} COLLATE ${words[1]}`;
}

/**
 * The rows of one JSON parameter (`?`) as a table with the alias `v`: one statement and one parameter for any number of
 * rows, read in their order. 64-bit numbers travel as decimal text.
 */
export function batchTable(executor: Knex, columns: readonly BatchColumn[], idCollation: string): string {
  if (dialectOf(executor) === 'sqlite') {
    const fields = columns.map(
      ({ name, type }) => `CAST(json_extract(value, '$.${name}') AS ${SQLITE_TYPES[type]}) AS ${name}`,
    );
    return `(SELECT ${fields.join(', ')} FROM json_each(?)) AS v`;
  }
  const fields = columns.map(({ name, type }) => {
    const sqlType = type === 'id' ? `varchar(36) ${idCollation}` : MYSQL_TYPES[type];
    return `${name} ${sqlType} PATH '$.${name}'`;
  });
  return `JSON_TABLE(?, '$[*]' COLUMNS (${fields.join(', ')})) AS v`;
}
