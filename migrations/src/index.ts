export { type Dialect, dialectOf, microsecondsSql, selectRows } from './dialect.ts';
export { MigrationError } from './errors.ts';
export { catalogVersion, downgradeCatalog, type MigrationOptions, syncCatalog } from './runner.ts';
export { LATEST_VERSION } from './versions/all.ts';
