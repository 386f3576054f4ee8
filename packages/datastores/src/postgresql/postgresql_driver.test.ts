import { Client } from 'pg';
import { test } from 'vitest';
import { datastoreConformance, type TenantClient } from '../conformance.ts';
import type { DatastorePlace } from '../driver.ts';
import { findPostgresInstallations } from './installations.ts';
import { postgresqlDriver } from './postgresql_driver.ts';

async function connect(
  place: DatastorePlace,
  user: string,
  password: string,
  database = 'postgres',
): Promise<TenantClient> {
  const client = new Client({ host: place.address, port: place.port, user, password, database });
  client.on('error', () => undefined);
  await client.connect();
  return {
    query: async (sql) =>
      (await client.query<Record<string, unknown>>(sql)).rows.map((row) => String(Object.values(row)[0])),
    close: () => client.end(),
  };
}

const installations = await findPostgresInstallations();

test('npm brought a PostgreSQL, so that the suite runs', ({ expect }) => {
  expect(installations[0]?.binDir).toContain('node_modules');
});

for (const [index, installation] of installations.entries()) {
  datastoreConformance(`${installation.manager} ${installation.version}`, {
    driver: postgresqlDriver,
    installation,
    address: `127.68.${process.pid % 250}.${index + 1}`,
    connect,
    holdsEmoji: true,
  });
}
