import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createConnection } from 'mysql2/promise';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { between, type FaultProxy, openFaultProxy } from './fault_proxy.ts';
import { seededRandom } from './seeded_random.ts';

/** Says everything back, in capitals; what each connection has said, and whether its client has ended. */
let server: Server;
let heard: { text: string; ended: boolean; end(): void }[];
let proxy: FaultProxy;
let open: Socket[];

beforeEach(async () => {
  heard = [];
  open = [];
  server = createServer({ allowHalfOpen: true }, (socket) => {
    const one = { text: '', ended: false, end: () => void socket.end() };
    heard.push(one);
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      one.text += chunk.toString();
      socket.write(chunk.toString().toUpperCase());
    });
    socket.on('end', () => {
      one.ended = true;
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy = await openFaultProxy(`tcp://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
afterEach(async () => {
  for (const socket of open) socket.destroy();
  await proxy.close();
  server.close();
});

async function client(): Promise<{ socket: Socket; answers: () => string; closed: Promise<void> }> {
  const socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('end', () => socket.end());
  open.push(socket);
  let answers = '';
  socket.on('data', (chunk: Buffer) => {
    answers += chunk.toString();
  });
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await Promise.race([new Promise<void>((resolve) => socket.once('connect', () => resolve())), closed]);
  return { socket, answers: () => answers, closed };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Long enough that what was going to pass has passed: another connection's round trip through the same server. */
async function roundTrip(): Promise<void> {
  const direct = connect((server.address() as AddressInfo).port, '127.0.0.1');
  open.push(direct);
  direct.write('x');
  await once(direct, 'data');
}

test('what both sides say passes, and an end is passed on', async () => {
  const { socket, answers, closed } = await client();
  socket.write('one');
  await until(() => answers() === 'ONE');
  expect(proxy.connections).toBe(1);
  socket.write('two');
  socket.end();
  await until(() => heard[0]?.ended === true && answers() === 'ONETWO');
  heard[0]?.end();
  await closed;
  await until(() => proxy.connections === 0);
});

test('a cut ends every connection, and new ones pass', async () => {
  const [first, second] = await Promise.all([client(), client()]);
  await until(() => proxy.connections === 2);
  proxy.cut();
  await Promise.all([first.closed, second.closed]);
  expect(proxy.cuts).toBe(2);
  const third = await client();
  third.socket.write('three');
  await until(() => third.answers() === 'THREE');
});

test('while it refuses, nobody gets through; afterwards everybody', async () => {
  const first = await client();
  proxy.refuse();
  await first.closed;
  await (await client()).closed;
  proxy.resume();
  const third = await client();
  third.socket.write('three');
  await until(() => third.answers() === 'THREE');
});

test('while it hangs, connections stand and nothing passes; then all of it passes in order', async () => {
  const first = await client();
  first.socket.write('a');
  await until(() => first.answers() === 'A');
  proxy.hang();
  first.socket.write('b');
  const second = await client();
  second.socket.write('z');
  await roundTrip();
  first.socket.write('c');
  await roundTrip();
  expect([first.answers(), second.answers()]).toEqual(['A', '']);
  proxy.resume();
  await until(() => first.answers() === 'ABC' && second.answers() === 'Z');
});

test('a delay keeps the order', async () => {
  proxy.delay(between(seededRandom(7), 1, 20));
  const { socket, answers } = await client();
  for (const letter of 'abcdefgh') {
    socket.write(letter);
    await roundTrip();
  }
  await until(() => answers().length === 8);
  expect(answers()).toBe('ABCDEFGH');
});

test('after a half close the server has the end, and what the client still says is lost', async () => {
  const { socket, answers } = await client();
  socket.write('a');
  await until(() => answers() === 'A');
  proxy.halfClose();
  await until(() => heard[0]?.ended === true);
  socket.write('b');
  await roundTrip();
  expect(heard[0]?.text).toBe('a');
  expect(socket.destroyed).toBe(false);
});

test('cuts in the middle come after the same number of bytes for the same seed', async () => {
  const cutAt = async (): Promise<number[]> => {
    proxy.cutEvery(between(seededRandom(3), 2, 9));
    const passed: number[] = [];
    for (let time = 0; time < 4; time += 1) {
      const { socket, answers, closed } = await client();
      let gone = false;
      void closed.then(() => {
        gone = true;
      });
      for (let sent = 1; !gone; sent += 1) {
        socket.write('a');
        await until(() => gone || answers().length === sent);
      }
      passed.push(answers().length);
    }
    proxy.resume();
    return passed;
  };
  const first = await cutAt();
  expect(new Set(first).size).toBeGreaterThan(1);
  expect(await cutAt()).toEqual(first);
});

test('a MariaDB connection works through it and ends with a cut', async () => {
  const given = process.env['TROVE_TEST_MYSQL_URL'] ?? '';
  const database = await openFaultProxy(given);
  try {
    const connection = await createConnection({ uri: database.through(given) });
    connection.on('error', () => undefined);
    const [rows] = await connection.query('SELECT 41 + 1 AS answer');
    expect(rows).toEqual([{ answer: 42 }]);
    database.refuse();
    await expect(connection.query('SELECT 1')).rejects.toThrow();
    connection.destroy();
  } finally {
    await database.close();
  }
});

test('pointed elsewhere it resets what stands, and leads who comes then to the other', async () => {
  const other = createServer((socket) => void socket.end('other'));
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  try {
    const before = await client();
    before.socket.write('a');
    await expect.poll(before.answers).toBe('A');
    proxy.pointAt(`tcp://127.0.0.1:${(other.address() as AddressInfo).port}`);
    await before.closed;
    const after = await client();
    await expect.poll(after.answers).toBe('other');
    expect(proxy.cuts).toBe(1);
  } finally {
    other.close();
  }
});
