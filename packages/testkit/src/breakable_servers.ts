import { findMariadb, startMariadb } from './mariadb.ts';
import { DEFAULT_DISK_FREE, DEFAULT_MEMORY, findRabbitmq, startRabbitmq } from './rabbitmq.ts';
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

/** A broker that can be made to believe that it runs out of something. */
export interface BreakableBroker extends BreakableServer {
  /** It takes nothing from whoever publishes, and tells them so, until `endAlarms`. */
  alarm(of: 'memory' | 'disk'): Promise<void>;
  endAlarms(): Promise<void>;
}

/** More than any disk has. */
const NEVER_FREE = '1000000GB';
const NEXT_TO_NO_MEMORY = '1MB';

export async function breakableBroker(): Promise<BreakableBroker> {
  const binaries = findRabbitmq();
  if (binaries === undefined) throw new Error('outage tests need rabbitmq-server on this machine');
  const broker = await startRabbitmq(binaries);
  const setMemory = (limit: string): Promise<string> =>
    broker.control('set_vm_memory_high_watermark', 'absolute', limit);
  const setDisk = (limit: string): Promise<string> => broker.control('set_disk_free_limit', limit);
  return {
    ...breakable(broker),
    async alarm(of) {
      await (of === 'memory' ? setMemory(NEXT_TO_NO_MEMORY) : setDisk(NEVER_FREE));
    },
    async endAlarms() {
      await setMemory(DEFAULT_MEMORY);
      await setDisk(DEFAULT_DISK_FREE);
    },
  };
}

export async function breakableDatabase(): Promise<BreakableServer> {
  const binaries = findMariadb();
  if (binaries === undefined) throw new Error('outage tests need mariadb-server on this machine');
  return breakable(await startMariadb(binaries));
}

export function breakable(server: OwnServer): BreakableServer {
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
