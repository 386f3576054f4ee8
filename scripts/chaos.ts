// `npm run chaos [-- --seconds N --seed N --tenants N --faults REGEX --keep]`: real processes, RabbitMQ and MariaDB under
// load while things break. Ends with 1 where a request was lost or done twice or an invariant does not hold, and then keeps the logs.
import { parseArgs } from 'node:util';
import { FAULTS } from '../apps/standalone/test/chaos/faults/index.ts';
import { runChaos } from '../apps/standalone/test/chaos/run.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    tenants: { type: 'string', default: '50' },
    faults: { type: 'string', default: '' },
    keep: { type: 'boolean', default: false },
  },
});
const [seconds, seed, tenants] = [values.seconds, values.seed, values.tenants].map(Number);
const faults = FAULTS.filter(({ name }) => new RegExp(values.faults).test(name));
if (![seconds, seed, tenants].every((value) => Number.isSafeInteger(value)) || faults.length === 0) {
  console.error('usage: npm run chaos -- [--seconds N] [--seed N] [--tenants N] [--faults REGEX] [--keep]');
  console.error(`faults whose name matches REGEX, of these:\n${FAULTS.map(({ name }) => `  ${name}`).join('\n')}`);
  process.exit(2);
}
const options = { seconds, seed, tenants, quietSeconds: 300, keep: values.keep, faults, servers: 'own' } as Parameters<
  typeof runChaos
>[0];
const { holds, text, folder } = await runChaos(options, (line) => console.log(line));
console.log(`\n${text}`);
if (folder !== undefined) console.log(`logs and configuration: ${folder}`);
const only = values.faults === '' ? '' : ` --faults '${values.faults}'`;
if (!holds) console.log(`again: npm run chaos -- --seconds ${seconds} --seed ${seed} --tenants ${tenants}${only}`);
process.exitCode = holds ? 0 : 1;
