import type { DatastoreDriver } from '../driver.ts';
import { MysqlDatastore } from './datastore.ts';
import { findMysqlInstallations, inspectMysqlFolder } from './installations.ts';

/** MySQL and MariaDB. Debian's `mysqld` is MariaDB, so it offers manager `mariadb`; `mysql` needs Oracle's or Percona's server. */
export const mysqlDriver: DatastoreDriver = {
  managers: ['mysql', 'mariadb'],
  standardPort: 3306,
  findInstallations: findMysqlInstallations,
  inspectFolder: inspectMysqlFolder,
  open: (place) => new MysqlDatastore(place),
};
