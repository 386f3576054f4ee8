import { spawn } from 'node:child_process';
import { closeSync, fchownSync, openSync } from 'node:fs';
import {
  identifyProcess,
  type ProcessIdentity,
  processRuns,
  signalProcess,
  TroveError,
  waitForExit,
} from '@trove/common';
import type { AgentHandle, AgentLaunch, AgentRunner } from './agent_runner.ts';

export interface DetachedAgentOptions {
  /** The Node that runs it; default: the one that runs us. */
  readonly node?: string;
  /** The path of `trove-guestagent.js`; the guest's account must be able to read it. */
  readonly program: string;
}

const STOP_TIMEOUT_MS = 150_000;

/** Agents as processes of their own, which outlive the taskmanager that started them. */
export function createDetachedAgentRunner(options: DetachedAgentOptions): AgentRunner {
  return {
    start: async (launch) => handleOf(spawnAgent(options, launch)),
    adopt: (_launch, identity) => (processRuns(identity) ? handleOf(identity) : undefined),
  };
}

function spawnAgent(options: DetachedAgentOptions, launch: AgentLaunch): ProcessIdentity {
  const configFiles = launch.configFiles.flatMap((file) => ['--config-file', file]);
  const log = openSync(launch.logFile, 'a', 0o600);
  try {
    if (launch.account !== undefined) fchownSync(log, launch.account.uid, launch.account.gid);
    const child = spawn(
      options.node ?? process.execPath,
      [options.program, ...configFiles, '--server-file', launch.serverFile],
      {
        cwd: launch.workDir,
        detached: true,
        stdio: ['ignore', log, log],
        env: {
          PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
          HOME: launch.workDir,
          LANG: 'C.UTF-8',
        },
        ...(launch.account === undefined ? {} : { uid: launch.account.uid, gid: launch.account.gid }),
      },
    );
    child.on('error', () => undefined);
    child.unref();
    const identity = child.pid === undefined ? undefined : identifyProcess(child.pid);
    if (identity === undefined)
      throw new TroveError('COMPUTE_ERROR', 'The agent could not be started.', { retryable: true });
    return identity;
  } finally {
    closeSync(log);
  }
}

function handleOf(identity: ProcessIdentity): AgentHandle {
  return {
    identity,
    alive: () => processRuns(identity),
    stop: async () => {
      signalProcess(identity, 'SIGTERM');
      if (await waitForExit(identity, STOP_TIMEOUT_MS)) return;
      signalProcess(identity, 'SIGKILL');
      await waitForExit(identity, 10_000);
    },
  };
}
