import { connect } from 'amqplib';
import { createConnection } from 'mysql2/promise';
import { expect, test } from 'vitest';
import { provideServers } from './provide_servers.ts';
import { testBroker } from './test_broker.ts';
import { testDatabase } from './test_database.ts';

test('two callers get vhosts of their own, and a disposed one is gone', async () => {
  const [first, second] = await Promise.all([testBroker(), testBroker()]);
  expect(first.url).not.toBe(second.url);
  const connection = await connect(first.url);
  const channel = await connection.createChannel();
  await channel.assertQueue('mine');
  const other = await connect(second.url);
  const otherChannel = await other.createChannel();
  otherChannel.on('error', () => undefined);
  await expect(otherChannel.checkQueue('mine')).rejects.toThrow(/NOT_FOUND/);
  await connection.close();
  await other.close();
  await Promise.all([first.dispose(), second.dispose()]);
  await expect(connect(first.url)).rejects.toThrow();
});

test('two callers get databases of their own, and a disposed one is gone', async () => {
  const [first, second] = await Promise.all([testDatabase(), testDatabase()]);
  const connection = await createConnection({ uri: first.url });
  await connection.query('CREATE TABLE mine (a INT)');
  const other = await createConnection({ uri: second.url });
  await expect(other.query('SELECT * FROM mine')).rejects.toThrow(/doesn't exist/);
  await connection.end();
  await other.end();
  await Promise.all([first.dispose(), second.dispose()]);
  await expect(createConnection({ uri: first.url })).rejects.toThrow(/Unknown database/);
});

test('without a server the message says what to do', async () => {
  await expect(testBroker({})).rejects.toThrow(/npm test/);
  await expect(testDatabase({})).rejects.toThrow(/npm test/);
});

test('servers that are given are used, and left running', async () => {
  const urls = {
    TROVE_TEST_AMQP_URL: process.env['TROVE_TEST_AMQP_URL'] ?? '',
    TROVE_TEST_MYSQL_URL: process.env['TROVE_TEST_MYSQL_URL'] ?? '',
  };
  const servers = await provideServers(urls);
  expect(servers.urls).toEqual(urls);
  await servers.stop();
  await (await testBroker(urls)).dispose();
  await (await testDatabase(urls)).dispose();
});
