import type { DatastoreDriver } from '../driver.ts';
import { mayStep, type VersionRules } from '../version_steps.ts';
import { PostgresDatastore } from './datastore.ts';
import { findPostgresInstallations, inspectPostgresFolder } from './installations.ts';

/** Within a major version the files stay as they are, both ways; another one needs `pg_upgrade`, or a dump. */
const VERSIONS: VersionRules = { seriesParts: (major) => (major < 10 ? 2 : 1), majorSteps: {}, backInSeries: true };

/** PostgreSQL: npm's binaries, or those on the machine. */
export const postgresqlDriver: DatastoreDriver = {
  managers: ['postgresql'],
  standardPort: 5432,
  mayUpgrade: (_manager, from, to) => mayStep(VERSIONS, from, to),
  findInstallations: findPostgresInstallations,
  inspectFolder: inspectPostgresFolder,
  open: (place) => new PostgresDatastore(place),
};
