import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runProgram } from '../looks/command.ts';
import { leaveMarkers, lookAtServer } from '../looks/server_look.ts';
import type { CommandResult } from '../outside.ts';
import { APPS } from './apps.ts';
import type { Deployment } from './deployment.ts';
import type { Runtime } from './outside_of.ts';

type OnThisMachine = Pick<
  Runtime,
  'cliEnvironment' | 'manage' | 'readConfig' | 'writeConfig' | 'server' | 'leaveMarkers'
>;

/** What is the same wherever services, files and servers are this machine's own; `root` is where the servers are. */
export function onThisMachine(deployment: Deployment, root: string): OnThisMachine {
  return {
    cliEnvironment: {
      TROVE_URL: `http://127.0.0.1:${deployment.apiPort}`,
      TROVE_HOME: dirname(deployment.tokensFile),
    },
    manage: (argv) => runManage(deployment, argv),
    readConfig: async (name) => readFileSync(deployment.configPath(name), 'utf8'),
    writeConfig: async (name, text) => writeFileSync(deployment.configPath(name), text),
    server: async (instanceId) => lookAtServer(root, instanceId),
    leaveMarkers: async (instanceId) => leaveMarkers(root, instanceId),
  };
}

export function runManage(deployment: Deployment, argv: readonly string[]): Promise<CommandResult> {
  const script = join(APPS, 'standalone', 'bin', 'trove-manage.js');
  return runProgram(script, ['--config-file', deployment.configPath('trove.conf'), ...argv], process.env);
}
