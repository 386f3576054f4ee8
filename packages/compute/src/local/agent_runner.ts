import type { ProcessIdentity } from '@trove/common';
import type { Account } from './account.ts';

/** Everything that an agent is started with: the files of its own server and nothing of the control plane. */
export interface AgentLaunch {
  readonly instanceId: string;
  readonly serverId: string;
  /** In the order in which they are read; a later one wins. */
  readonly configFiles: readonly string[];
  /** What a real server would know of itself: address, port, volume, programs (JSON). */
  readonly serverFile: string;
  /** A folder on the server's root where the agent may work. */
  readonly workDir: string;
  readonly logFile: string;
  readonly account: Account | undefined;
}

export interface AgentHandle {
  /** The process that the agent lives in. */
  readonly identity: ProcessIdentity;
  alive(): boolean;
  /** Ends the agent, which stops its database first. */
  stop(): Promise<void>;
}

/** How agents live: processes of their own (`createDetachedAgentRunner`), or inside this one (standalone's). */
export interface AgentRunner {
  /** Resolves when the agent has begun; whether it works is seen in its reports. */
  start(launch: AgentLaunch): Promise<AgentHandle>;
  /** Takes over an agent that another process of ours has started; undefined where that cannot be. */
  adopt(launch: AgentLaunch, identity: ProcessIdentity): AgentHandle | undefined;
}
