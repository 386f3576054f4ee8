/** A worker process: `node test/worker.ts`, with the JSON of WorkerArguments in WORKER_ARGUMENTS; ends in order on SIGTERM. */
import { openCatalog } from '@trove/catalog';
import { createLogger } from '@trove/common';
import { createTaskEngine } from '../src/index.ts';
import { askKind } from './ask_kind.ts';
import { fixtureKinds } from './kinds.ts';
import { obeyOrders } from './orders.ts';
import { FolderWorld } from './world.ts';

export interface WorkerArguments {
  connection: string;
  worldFolder: string;
  ordersFolder: string;
  leaseMs: number;
}

// Not in the arguments: the connection has a password, and everybody sees those.
const given = JSON.parse(process.env['WORKER_ARGUMENTS'] ?? '') as WorkerArguments;
const catalog = openCatalog({ connection: given.connection, poolSize: 6 });
const world = new FolderWorld(given.worldFolder);
const engine = createTaskEngine({
  catalog,
  kinds: [...fixtureKinds(world), askKind(world)],
  owner: `worker-${process.pid}`,
  logger: createLogger({ service: 'worker' }),
  concurrency: 4,
  pollMs: { min: 50, max: 150 },
  leaseMs: given.leaseMs,
  faults: obeyOrders(given.ordersFolder),
});
engine.start();
process.once('SIGTERM', () => {
  void engine.close().then(() => catalog.close());
});
