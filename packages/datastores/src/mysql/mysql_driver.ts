import type { DatastoreDriver } from '../driver.ts';
import { mayStep, type VersionRules } from '../version_steps.ts';
import { MysqlDatastore } from './datastore.ts';
import { findMysqlInstallations, inspectMysqlFolder } from './installations.ts';

/** MySQL converts the data of the series before when it starts, and never back. */
const MYSQL: VersionRules = {
  seriesParts: () => 2,
  majorSteps: { '5.7': ['8.0'], '8.0': ['8.4'] },
  backInSeries: false,
};
/** MariaDB leaves the conversion to `mariadb-upgrade`, which the agent does not run. */
const MARIADB: VersionRules = { ...MYSQL, majorSteps: {} };

/** MySQL and MariaDB. Debian's `mysqld` is MariaDB, so it offers manager `mariadb`; `mysql` needs Oracle's or Percona's server. */
export const mysqlDriver: DatastoreDriver = {
  managers: ['mysql', 'mariadb'],
  standardPort: 3306,
  mayUpgrade: (manager, from, to) => mayStep(manager === 'mariadb' ? MARIADB : MYSQL, from, to),
  findInstallations: findMysqlInstallations,
  inspectFolder: inspectMysqlFolder,
  open: (place) => new MysqlDatastore(place),
};
