import { setTimeout as delay } from 'node:timers/promises';
import { isTroveError, newUuid } from '@trove/common';
import { fileRotation } from '@trove/taskmanager';
import { oneOf, type Random } from '@trove/testkit';
import { type Answer, Client, idOf, type Sent } from './client.ts';
import type { Ground } from './ground.ts';
import { randomOf } from './inside/run_folder.ts';

export type RequestKind = 'create' | 'upgrade' | 'restart' | 'resize' | 'delete' | 'database' | 'rotate';

/** One request of a tenant, however often it was sent. */
export interface Entry {
  readonly kind: RequestKind;
  /** Its `Idempotency-Key`; of a rotation, which has none, the task's id. */
  key: string;
  sent: number;
  /** The answer's status; undefined: none that says what became of it. */
  status: number | undefined;
  instanceId: string | undefined;
  /** The database's name. */
  readonly what: string | undefined;
  /** When it was last sent, and when it was answered; milliseconds since 1970. */
  askedAt: number;
  answeredAt: number | undefined;
  /** To send it again under its key; absent for one that no key would find. */
  request?: Sent;
}

type LoadGround = Pick<Ground, 'apiUrls' | 'token' | 'catalog' | 'seed'>;

const FILED = 202;
const REFUSED = 422;
const AT_REST: readonly string[] = ['ACTIVE', 'ERROR', 'FAILED', 'SHUTDOWN', 'CRASHED', 'HEALTHY', 'GONE'];
const VERSIONS = ['18.4', '18.5'] as const;

/** Tenants who create, change and delete instances, and send again under the same key what was not answered. */
export class Load {
  readonly entries: Entry[] = [];
  readonly #ground: LoadGround;
  readonly #ending = new AbortController();
  #tenants: Promise<unknown>[] = [];

  constructor(ground: LoadGround) {
    this.#ground = ground;
  }

  start(tenants: number): void {
    const { signal } = this.#ending;
    this.#tenants = Array.from({ length: tenants }, (_, number) =>
      new Tenant({ number, ground: this.#ground, signal, entries: this.entries }).run(),
    );
  }

  /** Nobody begins anything more; what was begun is asked again until it is answered. */
  async end(): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#tenants);
  }

  /** Sends these once more under their keys, as a client does that does not trust its answer: found again, or done anew. */
  async sendAgain(entries: readonly Entry[]): Promise<void> {
    const client = new Client(this.#ground, randomOf(this.#ground.seed, 'again'));
    const sendOne = async (entry: Entry): Promise<void> => {
      const { request } = entry;
      if (request === undefined) return;
      const again = { ...entry };
      const answer = await client.sendUntilAnswered(request, again);
      entry.sent = again.sent;
      // Refused, as where its instance is gone: what it was told before is what counts.
      if (answer.status >= 300) return;
      entry.askedAt = again.askedAt;
      entry.answeredAt = Date.now();
      entry.instanceId = idOf(answer) ?? entry.instanceId;
    };
    await Promise.all(entries.map(sendOne));
  }
}

interface TenantOptions {
  readonly number: number;
  readonly ground: LoadGround;
  readonly signal: AbortSignal;
  readonly entries: Entry[];
}

class Tenant {
  readonly #options: TenantOptions;
  readonly #signal: AbortSignal;
  readonly #client: Client;
  /** Its own: what one tenant does next depends on no other. */
  readonly #random: Random;
  #created = 0;

  constructor(options: TenantOptions) {
    this.#options = options;
    this.#signal = options.signal;
    this.#random = randomOf(options.ground.seed, 'tenant', options.number);
    this.#client = new Client(options.ground, this.#random);
  }

  async run(): Promise<void> {
    while (!this.#signal.aborted) {
      await this.#pause(2000);
      const id = await this.#create();
      if (id === undefined) continue;
      // Some change their mind while it is being built.
      if (this.#chance(0.85)) await this.#live(id);
      if (this.#chance(0.6)) await this.#ask('delete', { id, method: 'DELETE', path: '' });
    }
  }

  async #live(id: string): Promise<void> {
    if ((await this.#rest(id)) !== 'ACTIVE') return;
    for (let left = 1 + Math.floor(this.#random() * 3); left > 0 && !this.#signal.aborted; left -= 1) {
      const kind = oneOf(this.#random, ['upgrade', 'restart', 'resize', 'database', 'database', 'rotate'] as const);
      if (kind === 'database') await this.#createDatabase(id);
      else if (kind === 'rotate') await this.#rotate(id);
      else if (kind === 'upgrade') await this.#upgrade(id);
      else await this.#act(id, kind);
      if (this.#chance(0.8)) await this.#rest(id);
    }
  }

  async #create(): Promise<string | undefined> {
    if (this.#signal.aborted) return undefined;
    this.#created += 1;
    const body = {
      instance: {
        name: `chaos-${this.#options.number}-${this.#created}`,
        flavorRef: '25',
        volume: { size: 1 },
        datastore: { type: 'postgresql', version: oneOf(this.#random, VERSIONS) },
        databases: [{ name: 'first' }],
        users: [{ name: 'tenant', password: newUuid(), databases: [{ name: 'first' }] }],
      },
    };
    const answer = await this.#ask('create', { id: undefined, method: 'POST', path: '', body });
    return answer && idOf(answer);
  }

  async #act(id: string, kind: 'restart' | 'resize'): Promise<void> {
    const resize = oneOf(this.#random, [{ flavorRef: '25' }, { flavorRef: '26' }, { volume: { size: 2 } }]);
    const body = kind === 'restart' ? { restart: {} } : { resize };
    await this.#ask(kind, { id, method: 'POST', path: '/action', body });
  }

  async #upgrade(id: string): Promise<void> {
    const body = { instance: { datastore_version: oneOf(this.#random, VERSIONS) } };
    await this.#ask('upgrade', { id, method: 'PATCH', path: '', body });
  }

  /** As an operator does by `trove-manage keys rotate-instance`, whose function this is. */
  async #rotate(id: string): Promise<void> {
    const entry = this.#enter('rotate', id, undefined);
    entry.sent = 1;
    entry.askedAt = Date.now();
    try {
      entry.key = await fileRotation(this.#options.ground.catalog, id);
      entry.status = FILED;
    } catch (error) {
      if (isTroveError(error) && !error.retryable) entry.status = REFUSED;
    }
    entry.answeredAt = Date.now();
  }

  async #createDatabase(id: string): Promise<void> {
    const name = `d${newUuid().slice(0, 8)}`;
    const entry = this.#enter('database', id, name);
    // Not sent again: it is a call to the guest, and no task that a key would find.
    const body = { databases: [{ name }] };
    const answer = await this.#client
      .send({ id, method: 'POST', path: '/databases', body }, entry)
      .catch(() => undefined);
    entry.status = answer?.status;
    entry.answeredAt = Date.now();
  }

  /** Sent until there is an answer that says what became of it. */
  async #ask(kind: RequestKind, what: Sent): Promise<Answer | undefined> {
    const entry = this.#enter(kind, what.id, undefined);
    entry.request = what;
    const answer = await this.#client.sendUntilAnswered(what, entry);
    entry.status = answer.status;
    entry.answeredAt = Date.now();
    if (kind === 'create') entry.instanceId = idOf(answer) ?? entry.instanceId;
    return answer.status < 300 ? answer : undefined;
  }

  /** The status in which the instance comes to rest; undefined where the load ends before. */
  async #rest(id: string): Promise<string | undefined> {
    while (!this.#signal.aborted) {
      await this.#pause(1500);
      const entry = { ...this.#enterNothing(id) };
      const answer = await this.#client.send({ id, method: 'GET', path: '' }, entry).catch(() => undefined);
      if (answer?.status === 404) return 'GONE';
      const status = answer?.body['instance']?.['status'];
      if (typeof status === 'string' && AT_REST.includes(status)) return status;
    }
    return undefined;
  }

  #enter(kind: RequestKind, instanceId: string | undefined, what: string | undefined): Entry {
    const entry = { ...this.#enterNothing(instanceId), kind, what };
    this.#options.entries.push(entry);
    return entry;
  }

  #enterNothing(instanceId: string | undefined): Entry {
    const unsent = { sent: 0, status: undefined, askedAt: 0, answeredAt: undefined };
    return { kind: 'create', key: newUuid(), ...unsent, instanceId, what: undefined };
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms * (0.3 + this.#random()), undefined, { signal: this.#signal }).catch(() => undefined);
  }
}
