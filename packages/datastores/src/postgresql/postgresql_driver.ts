import type { DatastoreDriver } from '../driver.ts';
import { PostgresDatastore } from './datastore.ts';
import { findPostgresInstallations, inspectPostgresFolder } from './installations.ts';

/** PostgreSQL: npm's binaries, or those on the machine. */
export const postgresqlDriver: DatastoreDriver = {
  managers: ['postgresql'],
  standardPort: 5432,
  findInstallations: findPostgresInstallations,
  inspectFolder: inspectPostgresFolder,
  open: (place) => new PostgresDatastore(place),
};
