/** One table as plain data, from which both dialects' statements are made. */
export interface TableDefinition {
  readonly name: string;
  /**
   * Column → type, NULL or NOT NULL, default. `{id}` stands for the charset and collation that `instances.id` has in this
   * catalog: a join of two text columns uses an index only where both have the same.
   */
  readonly columns: Readonly<Record<string, string>>;
  readonly primary: readonly string[];
  readonly uniques?: Readonly<Record<string, readonly string[]>>;
  readonly indexes?: Readonly<Record<string, readonly string[]>>;
  /** All refer to the other table's `id`. */
  readonly foreignKeys?: Readonly<Record<string, ForeignKey>>;
  /** Columns that a CHECK holds to 0 and 1, as Trove's boolean columns are. */
  readonly flags?: readonly string[];
  /** Not one of Trove's tables: its text is utf8mb4 and compared byte by byte. */
  readonly ours?: true;
}

export interface ForeignKey {
  readonly column: string;
  readonly table: string;
  /** ON DELETE and ON UPDATE, where there are any. */
  readonly actions?: string;
}

/** The tables by name, as they stand after some operation. */
export type Definitions = ReadonlyMap<string, TableDefinition>;
