import { findMariadb, startMariadb } from './mariadb.ts';
import { findRabbitmq, startRabbitmq } from './rabbitmq.ts';
import type { OwnServer } from './running_server.ts';

/** A server of one's own, to be taken away in the middle of a test and brought back with what it had stored. */
export interface BreakableServer {
  /** As `TROVE_TEST_AMQP_URL` or `TROVE_TEST_MYSQL_URL`, for `testBroker` and `testDatabase`. */
  url: string;
  /** It stays and says nothing: connections stand, and the system takes new ones for it. */
  freeze(): void;
  thaw(): void;
  /** As a loss of power; resolves when it is gone. */
  kill(): Promise<void>;
  /** After `kill`; resolves when it serves again. */
  start(): Promise<void>;
  dispose(): Promise<void>;
}

export async function breakableBroker(): Promise<BreakableServer> {
  const binaries = findRabbitmq();
  if (binaries === undefined) throw new Error('outage tests need rabbitmq-server on this machine');
  return breakable(await startRabbitmq(binaries));
}

export async function breakableDatabase(): Promise<BreakableServer> {
  const binaries = findMariadb();
  if (binaries === undefined) throw new Error('outage tests need mariadb-server on this machine');
  return breakable(await startMariadb(binaries));
}

function breakable(server: OwnServer): BreakableServer {
  return {
    url: server.url,
    freeze: () => server.signal('SIGSTOP'),
    thaw: () => server.signal('SIGCONT'),
    async kill() {
      server.signal('SIGKILL');
      await server.ended();
    },
    start: () => server.startAgain(),
    async dispose() {
      server.signal('SIGCONT');
      await server.stop();
    },
  };
}
