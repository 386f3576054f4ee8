import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { test } from 'vitest';
import { datastoreConformance, type TenantClient } from '../conformance.ts';
import type { DatastorePlace } from '../driver.ts';
import { findMysqlInstallations } from './installations.ts';
import { mysqlDriver } from './mysql_driver.ts';

async function connect(
  place: DatastorePlace,
  user: string,
  password: string,
  database?: string,
): Promise<TenantClient> {
  const connection = await createConnection({
    host: place.address,
    port: place.port,
    user,
    password,
    ...(database === undefined ? {} : { database }),
  });
  return {
    query: async (sql) => {
      const [rows] = await connection.query<RowDataPacket[]>(sql);
      return Array.isArray(rows) ? rows.map((row) => String(Object.values(row)[0])) : [];
    },
    close: () => connection.end(),
  };
}

const installations = await findMysqlInstallations();

test('a MySQL or MariaDB server is installed, so that the suite runs', ({ expect }) => {
  expect(installations).not.toEqual([]);
});

for (const [index, installation] of installations.entries()) {
  datastoreConformance(`${installation.manager} ${installation.version}`, {
    driver: mysqlDriver,
    installation,
    address: `127.65.${process.pid % 250}.${index + 1}`,
    connect,
    holdsEmoji: false,
  });
}
