import { TroveError } from '@trove/common';
import type { DatastoreDriver, Installation } from './driver.ts';
import { mysqlDriver } from './mysql/mysql_driver.ts';
import { postgresqlDriver } from './postgresql/postgresql_driver.ts';

/** Every datastore that this release can manage, PostgreSQL first: npm alone brings that one. */
const datastoreDrivers: readonly DatastoreDriver[] = [postgresqlDriver, mysqlDriver];

/** The driver of a manager (`mysql`, `mariadb`, `postgresql`); `DATASTORE_NOT_FOUND` where this release has none. */
export function datastoreDriverFor(manager: string): DatastoreDriver {
  const driver = datastoreDrivers.find((candidate) => candidate.managers.some((name) => name === manager));
  if (driver === undefined) throw new TroveError('DATASTORE_NOT_FOUND', 'No driver for this datastore manager.');
  return driver;
}

/** Whether an instance of this manager may go from one version to another, its data as it is; false where this release has no driver. */
export function mayUpgrade(manager: string, from: string, to: string): boolean {
  const known = datastoreDrivers.flatMap((driver) => driver.managers.map((name) => ({ driver, name })));
  const found = known.find(({ name }) => name === manager);
  return found?.driver.mayUpgrade(found.name, from, to) === true;
}

/** An installation with the port that its server's clients expect. */
export interface FoundInstallation extends Installation {
  readonly port: number;
}

/** Every database server found on this machine. */
export async function findInstallations(): Promise<readonly FoundInstallation[]> {
  const found = await Promise.all(
    datastoreDrivers.map(async (driver) =>
      (await driver.findInstallations()).map((one) => ({ ...one, port: driver.standardPort })),
    ),
  );
  return found.flat();
}

/** The database server whose programs are in this folder; undefined where there is none that runs. */
export async function inspectFolder(folder: string): Promise<FoundInstallation | undefined> {
  for (const driver of datastoreDrivers) {
    const found = await driver.inspectFolder(folder);
    if (found !== undefined) return { ...found, port: driver.standardPort };
  }
  return undefined;
}
