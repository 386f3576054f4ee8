import type { Clock, Logger, Secret, TlsClient } from '@trove/common';
import type { Bus } from './bus.ts';
import type { MemoryAccounts } from './memory_accounts.ts';
import type { PasswordChoice } from './passwords.ts';

export interface AmqpBusOptions {
  /** `rabbit://user:pass@host:port[,user:pass@host:port…]/vhost`, or any that `parseTransportUrl` takes. */
  readonly transportUrl: Secret;
  /** In place of the URL's password, where the account may have one of several. */
  readonly passwords?: PasswordChoice | undefined;
  /** Whom to trust and what to show, where the URL asks for TLS. */
  readonly tls?: TlsClient | undefined;
  /** Shown in the broker's list of connections. */
  readonly connectionName: string;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** How long `declare` and `publish` wait for a connection before `BUS_UNAVAILABLE`; default 5000. */
  readonly timeoutMs?: number;
  /** True: resolves when the first connection stands, or rejects after `timeoutMs`. Default false: connects in the background. */
  readonly waitConnected?: boolean;
}

/** One message as an onlooker on the broker would see it. */
export interface TappedMessage {
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: Buffer;
  readonly contentType: string;
  readonly userId: string | undefined;
}

/** Who connects. Without a secret it is the control plane itself: its name is stamped, and it has no walls. */
export interface MemoryLogin {
  readonly user: string;
  readonly secret?: Secret;
  /** In place of `secret`, where the account may have one of several. */
  readonly passwords?: PasswordChoice | undefined;
}

/** A broker inside this process. It defends nothing: its accounts exist so that one suite runs on both kinds of bus. */
export interface MemoryBroker {
  /** A connection; the account's name is stamped on what it publishes. A login that is refused is tried again and again. */
  bus(login?: MemoryLogin): Bus;
  readonly accounts: MemoryAccounts;
  hasQueue(name: string): boolean;
  queueNames(): readonly string[];
  /** Sees a copy of each message published; returns how to stop. */
  tap(listener: (message: TappedMessage) => void): () => void;
  /** Cuts every connection as a restarted broker would; they connect again by themselves. */
  cut(): void;
}
