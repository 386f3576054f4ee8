import { timingSafeEqual } from 'node:crypto';
import { type Secret, sha256, TroveError } from '@trove/common';
import type { Publication, Topology } from './bus.ts';

/** Expressions as RabbitMQ takes them: Erlang's, `\z` being the end and `$` the end or a newline before it. */
export interface Permissions {
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

export interface TopicPermission {
  readonly write: string;
  readonly read: string;
}

/** One account as it stands; what was never set is absent. */
export interface MemoryAccount {
  /** Absent: nobody can log in. */
  readonly secret?: Secret;
  /** Absent: no access at all. */
  readonly permissions?: Permissions;
  /** By exchange. An exchange without one is not restricted by topic. */
  readonly topics: Readonly<Record<string, TopicPermission>>;
  readonly maxConnections?: number;
  /** Kept and not counted: a connection in memory has no channels. */
  readonly maxChannels?: number;
}

const DEFAULT_EXCHANGE = 'amq.default';

/** Who may do what, as RabbitMQ's own account database decides it. */
export class MemoryAccounts {
  readonly #accounts = new Map<string, MemoryAccount>();
  readonly #onDeleted: (user: string) => void;

  constructor(onDeleted: (user: string) => void) {
    this.#onDeleted = onDeleted;
  }

  get(user: string): MemoryAccount | undefined {
    return this.#accounts.get(user);
  }

  names(): readonly string[] {
    return [...this.#accounts.keys()];
  }

  /** Makes the account, or makes it this one. */
  set(user: string, account: MemoryAccount): void {
    this.#accounts.set(user, account);
  }

  /** Also ends its connections. One that is not there is no error. */
  delete(user: string): void {
    this.#accounts.delete(user);
    this.#onDeleted(user);
  }

  /** Throws `RPC_REFUSED` unless the account may open one connection more. */
  login(user: string, secret: Secret, openConnections: number): void {
    const account = this.#accounts.get(user);
    const known = account?.secret !== undefined && same(account.secret.reveal(), secret.reveal());
    if (!known || account.permissions === undefined) throw refused('ACCESS_REFUSED - login was refused');
    if (openConnections >= (account.maxConnections ?? Number.POSITIVE_INFINITY))
      throw refused('NOT_ALLOWED - user connection limit is reached');
  }

  mayDeclare(user: string, topology: Topology): void {
    const names = [...(topology.exchanges ?? []), ...(topology.queues ?? [])].map(({ name }) => name);
    for (const name of names) this.#demand(user, 'configure', name);
    for (const { queue, exchange, routingKey } of topology.bindings ?? []) {
      this.#demand(user, 'write', queue);
      this.#demand(user, 'read', exchange);
      this.#demandTopic(user, 'read', exchange, routingKey);
    }
  }

  mayPublish(user: string, { exchange, routingKey, userId }: Publication): void {
    if (userId !== undefined && userId !== user) throw refused('PRECONDITION_FAILED - user_id is not the account');
    this.#demand(user, 'write', exchange === '' ? DEFAULT_EXCHANGE : exchange);
    this.#demandTopic(user, 'write', exchange, routingKey);
  }

  mayRead(user: string, queue: string): void {
    this.#demand(user, 'read', queue);
  }

  mayDelete(user: string, queue: string): void {
    this.#demand(user, 'configure', queue);
  }

  #demand(user: string, right: keyof Permissions, name: string): void {
    const expression = this.#accounts.get(user)?.permissions?.[right];
    if (expression === undefined || !erlangMatches(expression, name))
      throw refused(`ACCESS_REFUSED - ${right} access was refused`);
  }

  #demandTopic(user: string, right: keyof TopicPermission, exchange: string, routingKey: string): void {
    const topic = this.#accounts.get(user)?.topics[exchange];
    if (topic !== undefined && !erlangMatches(topic[right], routingKey))
      throw refused(`ACCESS_REFUSED - ${right} access to topic was refused`);
  }
}

/** Of Erlang's expressions only their two ends differ from JavaScript's. */
function erlangMatches(expression: string, text: string): boolean {
  const translated = expression.replaceAll('\\z', '(?![^])').replace(/\$$/, '(?=\\n?(?![^]))');
  return new RegExp(translated).test(text);
}

function same(one: string, other: string): boolean {
  return timingSafeEqual(sha256(Buffer.from(one)), sha256(Buffer.from(other)));
}

function refused(message: string): TroveError {
  return new TroveError('RPC_REFUSED', message);
}
