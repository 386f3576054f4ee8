import { appendFileSync } from 'node:fs';
import { accountOfUrl, createLogger, identifyProcess } from '@trove/common';
import type { AgentHandle, AgentLaunch, AgentRunner } from '@trove/compute';
import type { MemoryBroker } from '@trove/crypto-rpc';
import { buildGuestAgent, loadGuestConfig, readServerFacts } from '@trove/guestagent';

/**
 * Agents inside this process. Each is built from its injected files and its server's facts, and given a connection to the
 * bus in memory: what an agent in a process of its own has, and nothing else.
 */
export function createInProcessAgents(broker: MemoryBroker): AgentRunner {
  return {
    start: (launch) => startAgent(broker, launch),
    adopt: () => undefined,
  };
}

async function startAgent(broker: MemoryBroker, launch: AgentLaunch): Promise<AgentHandle> {
  const config = loadGuestConfig(launch.configFiles);
  const agent = buildGuestAgent({
    config,
    configFiles: launch.configFiles,
    server: readServerFacts(launch.serverFile),
    connect: async ({ transportUrl, passwords }) => {
      const account = accountOfUrl(transportUrl);
      return broker.bus(account && { user: account.user, secret: account.password, passwords });
    },
    logger: createLogger({
      service: 'trove-guestagent',
      level: config.DEFAULT.log_level,
      stream: { write: (line) => appendFileSync(launch.logFile, line, { mode: 0o600 }) },
    }),
  });
  await agent.start();
  let alive = true;
  return {
    identity: identifyProcess(process.pid) ?? { pid: process.pid, started: '' },
    alive: () => alive,
    async stop() {
      await agent.close({ database: 'stop' });
      alive = false;
    },
  };
}
