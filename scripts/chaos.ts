// `npm run chaos [-- --seconds N --seed N --tenants N --keep]`: real processes, RabbitMQ and MariaDB under load while things
// break. Ends with 1 where a request was lost or done twice or an invariant does not hold, and then keeps the logs.
import { parseArgs } from 'node:util';
import { runChaos } from '../apps/standalone/test/chaos/run.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    tenants: { type: 'string', default: '50' },
    keep: { type: 'boolean', default: false },
  },
});
const [seconds, seed, tenants] = [values.seconds, values.seed, values.tenants].map(Number);
if (![seconds, seed, tenants].every((value) => Number.isSafeInteger(value))) {
  console.error('usage: npm run chaos -- [--seconds N] [--seed N] [--tenants N] [--keep]');
  process.exit(2);
}
const options = { seconds, seed, tenants, quietSeconds: 300, keep: values.keep, servers: 'own' } as Parameters<
  typeof runChaos
>[0];
const { holds, text, folder } = await runChaos(options, (line) => console.log(line));
console.log(`\n${text}`);
if (folder !== undefined) console.log(`logs and configuration: ${folder}`);
if (!holds) console.log(`again: npm run chaos -- --seconds ${seconds} --seed ${seed} --tenants ${tenants}`);
process.exitCode = holds ? 0 : 1;
