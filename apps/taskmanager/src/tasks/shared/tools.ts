import type { Catalog } from '@trove/catalog';
import type { Clock, Secret } from '@trove/common';
import type { ComputeDriver } from '@trove/compute';
import type { GuestClient } from '@trove/crypto-rpc';
import type { BrokerAccounts } from '../../broker/broker_accounts.ts';
import type { GuestHello } from '../../guests/guest_hello.ts';
import type { GuestKeys } from '../../guests/guest_keys.ts';
import type { Unheard } from './ask_guest.ts';
import type { Answered } from './await_agent.ts';
import type { Knocks } from './knocks.ts';
import type { Restarts } from './restarts.ts';

/** What configuration says to tasks; times in milliseconds. */
export interface TaskSettings {
  readonly secureMessaging: boolean;
  readonly lowMs: number;
  readonly highMs: number;
  readonly reportIntervalMs: number;
  readonly agent: AgentSettings;
}

/** What a guest's agent is told of the control plane. */
export interface AgentSettings {
  /** As guests reach it: `rabbit://…`, or `memory://` in one process. */
  readonly transportUrl: Secret;
  readonly sealedTransportUrl: Secret;
  /** The authorities, in PEM, of a broker with TLS. */
  readonly brokerAuthority?: string | undefined;
  readonly controlExchange: string;
  readonly conductorQueue: string;
  readonly reportIntervalSeconds: number;
}

/** Everything that steps work with. */
export interface TaskTools {
  readonly catalog: Catalog;
  readonly compute: ComputeDriver;
  readonly guests: GuestClient;
  /** Undefined: guests share one account. */
  readonly accounts?: BrokerAccounts | undefined;
  readonly keys: GuestKeys;
  readonly hello: GuestHello;
  readonly unheard: Unheard;
  readonly knocks: Knocks<Answered>;
  readonly restarts: Restarts;
  /** The ring of K1, under which tasks' secrets rest; empty: they rest as they are. */
  readonly controlRing: readonly Secret[];
  readonly settings: TaskSettings;
  readonly clock: Clock;
  /** Made once by `db_sync`. */
  deploymentId(): Promise<string>;
}

/** How often a step is tried, and the cap of the jittered wait between tries. */
export const RETRY = { attempts: 8, capMs: 5000 } as const;
/** For what must come to an end however long it takes: bounded by the task's deadline. */
export const PERSISTENT_RETRY = { attempts: 10_000, capMs: 5000 } as const;

/**
 * Time-outs. A worker that dies leaves its step untouched for as long as the step may take, so they are short; a call that is
 * given up is made again under its token, and finds what the first one did: a copy of a volume goes on meanwhile.
 */
export const COMPUTE_TIMEOUT_MS = 30_000;
export const COPY_TIMEOUT_MS = 120_000;
/** A step that reads or writes the catalog and waits for no more than a few seconds outside. */
export const CATALOG_TIMEOUT_MS = 20_000;
/** One slice of a call to a sealed guest, and a question to a legacy one, whose answer is not waited for. */
export const SLICE_TIMEOUT_MS = 25_000;
