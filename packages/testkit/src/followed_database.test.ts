import { setTimeout as delay } from 'node:timers/promises';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { expect, test } from 'vitest';
import { followedDatabase } from './followed_database.ts';

test('the server that takes the place of a dead one has what that had a second before, under the same account', {
  timeout: 180_000,
}, async () => {
  const database = await followedDatabase();
  const connections: Connection[] = [];
  const open = async (): Promise<Connection> => {
    const connection = await createConnection(database.url);
    connections.push(connection);
    return connection;
  };
  const idsOf = async (connection: Connection): Promise<number[]> => {
    const [rows] = await connection.query<RowDataPacket[]>('SELECT id FROM kept.beats ORDER BY id');
    return rows.map((row) => row['id']);
  };
  try {
    const first = await open();
    await first.query('CREATE DATABASE kept');
    await first.query('CREATE TABLE kept.beats (id INT PRIMARY KEY)');
    await first.query('INSERT INTO kept.beats VALUES (1)');
    await database.follow({ databases: ['kept'], behindS: 1 });
    await first.query('INSERT INTO kept.beats VALUES (2)');
    await delay(4000);
    await first.query('INSERT INTO kept.beats VALUES (3)');
    const before = database.url;
    await database.failOver();
    expect(database.url).not.toBe(before);
    const second = await open();
    expect(await idsOf(second), 'the last was not yet there').toEqual([1, 2]);
    await second.query('INSERT INTO kept.beats VALUES (4)');
    await database.follow({ databases: ['kept'], behindS: 0 });
    await delay(2000);
    await database.failOver();
    expect(await idsOf(await open())).toEqual([1, 2, 4]);
  } finally {
    for (const connection of connections) connection.destroy();
    await database.dispose();
  }
});
