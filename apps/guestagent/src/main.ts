import { parseArgs } from 'node:util';
import { runService } from '@trove/common';
import { buildGuestAgent } from './guest_agent.ts';
import { guestOptions, withFilesBeside } from './options.ts';
import { readServerFacts } from './server_facts.ts';

const DEFAULT_SERVER_FILE = '/etc/trove/server.json';

/** The agent has one argument more than the other services: what its server knows of itself. */
const { values } = parseArgs({
  options: { 'server-file': { type: 'string', default: DEFAULT_SERVER_FILE } },
  strict: false,
});
const serverFile = String(values['server-file']);

await runService(
  {
    name: 'trove-guestagent',
    options: guestOptions,
    start: async (given, { logger, metrics, configFiles }) => {
      const config = withFilesBeside(given, configFiles);
      const agent = buildGuestAgent({ config, configFiles, metrics, server: readServerFacts(serverFile), logger });
      await agent.start();
      return {
        close: () => agent.close({ database: 'stop' }),
        health: () => agent.health(),
        readyText: `for ${config.DEFAULT.guest_id}`,
      };
    },
  },
  process.argv
    .slice(2)
    .filter((argument, index, all) => argument !== '--server-file' && all[index - 1] !== '--server-file'),
);
