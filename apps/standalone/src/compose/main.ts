import { isTroveError } from '@trove/common';

const CATALOG_FILES = { config: '/etc/trove/trove.conf', accounts: '/etc/trove/accounts.json' };

/** The steps of docker-compose.yml that are done once, at each `up`: each does nothing where all is as it should be. */
const STEPS: Readonly<Record<string, () => Promise<number>>> = {
  async init() {
    const { initStack } = await import('./init.ts');
    for (const line of initStack({ root: '/stack' })) process.stdout.write(`${line}\n`);
    return 0;
  },
  async catalog() {
    const { prepareCatalog } = await import('./catalog.ts');
    return prepareCatalog(CATALOG_FILES);
  },
  /** The first part of `catalog`, for a catalog that is brought along. */
  async accounts() {
    const { prepareAccounts } = await import('./catalog.ts');
    await prepareAccounts(CATALOG_FILES);
    return 0;
  },
  async network() {
    const { joinNetwork } = await import('./network.ts');
    process.stdout.write(`${await joinNetwork(process.env)}\n`);
    return 0;
  },
  async ready() {
    process.stdout.write(`The API answers on ${process.env.STACK_API ?? 'its port'}.
The first database:  docker compose exec api trove create db1 1 --size 1 --wait
`);
    return 0;
  },
};

const [name = '', ...more] = process.argv.slice(2);
const step = more.length === 0 ? STEPS[name] : undefined;
if (step === undefined) {
  process.stderr.write(`usage: trove-stack ${Object.keys(STEPS).join('|')}\n`);
  process.exitCode = 2;
} else {
  try {
    process.exitCode = await step();
  } catch (error) {
    if (!isTroveError(error)) throw error;
    const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
    process.stderr.write(`trove-stack ${name}: ${error.message}${cause}\n`);
    process.exitCode = 1;
  }
}
