import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { dumpDatabases, loadDump } from '@trove/testkit';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { type TakenBack, wasTakenBack } from '../accounts.ts';
import type { Ground } from '../ground.ts';
import { manage } from '../manage.ts';
import { type Fault, type Hands, SECOND } from './fault.ts';

const BEHIND_S = 1;
const BEAT_MS = 50;
const BEATS = 'chaos_beats';

/** Of a catalog that goes back in time: what was acknowledged since is gone, and the world goes on from where it is. */
export const RESTORE_FAULTS: readonly Fault[] = [
  {
    name: 'failover of the catalog to a server that is a second behind',
    seconds: 60,
    lasting: true,
    ownServers: true,
    apply: failOver,
  },
  {
    name: 'catalog restored from a backup, with the services stopped meanwhile',
    seconds: 100,
    lasting: true,
    ownServers: true,
    apply: restore,
  },
];

async function failOver(hands: Hands): Promise<void> {
  const { own, database, proxies, takenBack } = hands.ground;
  if (own === undefined) return;
  const server = own.database;
  const first = await createConnection(server.url);
  await first.query(`CREATE DATABASE IF NOT EXISTS ${BEATS}`);
  await first.query(`CREATE TABLE IF NOT EXISTS ${BEATS}.beats (at BIGINT PRIMARY KEY)`);
  await server.follow({ databases: [database.connection.database, BEATS], behindS: BEHIND_S });
  const beating = beat(first);
  await delay((5 + hands.random() * 5) * SECOND);
  await server.failOver();
  const all = [...Object.values(proxies.catalog), proxies.own];
  for (const proxy of all) proxy.pointAt(server.url);
  const to = Date.now();
  await beating;
  const from = await latestBeat(server.url);
  takenBack.push({ from, to });
  await sendSomeAgain(hands, { from, to });
}

/** Writes down what time it is, until the server is gone: what was acknowledged before the last that is kept is kept too. */
async function beat(connection: Awaited<ReturnType<typeof createConnection>>): Promise<void> {
  connection.on('error', () => undefined);
  try {
    for (;;) {
      await connection.query(`INSERT IGNORE INTO ${BEATS}.beats VALUES (?)`, [Date.now()]);
      await delay(BEAT_MS);
    }
  } catch {
    connection.destroy();
  }
}

async function latestBeat(url: string): Promise<number> {
  const connection = await createConnection(url);
  try {
    const [rows] = await connection.query<RowDataPacket[]>(`SELECT MAX(at) AS at FROM ${BEATS}.beats`);
    return Number(rows[0]?.['at']);
  } finally {
    await connection.end();
  }
}

async function restore(hands: Hands): Promise<void> {
  const { ground } = hands;
  const { own, database, folder, services, takenBack } = ground;
  if (own === undefined) return;
  const file = join(folder, 'backup.sql');
  const from = Date.now();
  await dumpDatabases({ url: own.database.url, databases: [database.connection.database] }, file);
  await delay((20 + hands.random() * 20) * SECOND);
  await Promise.all(services.map((service) => service.stop()));
  const to = Date.now();
  try {
    await loadDump(own.database.url, file);
    takenBack.push({ from, to });
    await manage(ground, 'db_restored');
  } finally {
    for (const service of services) service.start();
    rmSync(file);
  }
  await answers(ground);
  await sendSomeAgain(hands, { from, to });
}

async function answers({ apiUrls, token }: Ground): Promise<void> {
  const ask = async (url: string): Promise<boolean> =>
    (await fetch(`${url}/instances`, { headers: { 'x-auth-token': token } })).ok;
  for (const url of apiUrls) while (!(await ask(url).catch(() => false))) await delay(200);
}

/** Of what was acknowledged and is gone, or not. */
async function sendSomeAgain({ load, random }: Hands, time: TakenBack): Promise<void> {
  await load.sendAgain(load.entries.filter((entry) => wasTakenBack(entry, time) && random() < 0.5));
}
