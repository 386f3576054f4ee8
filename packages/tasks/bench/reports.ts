/** What a conductor does to tasks, in a process of its own: `node bench/reports.ts`, with the JSON of ReportsArguments in REPORTS_ARGUMENTS, until it is killed. */
import { type InstanceRow, openCatalog, withTransaction } from '@trove/catalog';
import { wakeInstances } from '../src/index.ts';

export interface ReportsArguments {
  connection: string;
  /** Each instance reports once in this time. */
  everyMs: number;
}

const BATCH_EVERY_MS = 500;

// Not in the arguments: the connection has a password, and everybody sees those.
const { connection, everyMs } = JSON.parse(process.env['REPORTS_ARGUMENTS'] ?? '') as ReportsArguments;
const catalog = openCatalog({ connection, poolSize: 1 });
const ids = (await catalog.knex<InstanceRow>('instances').select('id')).map(({ id }) => id);
const start = performance.now();
for (let sent = 0; ; ) {
  const due = Math.floor(((performance.now() - start) / everyMs) * ids.length);
  const batch = Array.from({ length: due - sent }, (_, index) => ids[(sent + index) % ids.length] ?? '');
  sent = due;
  await withTransaction(catalog, (tx) => wakeInstances(tx, [...new Set(batch)]));
  await new Promise((resolve) => setTimeout(resolve, BATCH_EVERY_MS));
}
