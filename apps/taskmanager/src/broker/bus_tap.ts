import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { BusTap, TappedOnBus } from '@trove/catalog';
import {
  type BusUrls,
  isTroveError,
  type Logger,
  parseTransportUrl,
  Secret,
  type TlsClient,
  TroveError,
  urlWithAccount,
} from '@trove/common';
import { type Bus, createAmqpBus, type Delivery, readSeen } from '@trove/crypto-rpc';
import { createManagement, type Management } from './management.ts';
import { type BrokerAccountsSettings, managementFetch } from './open_broker_accounts.ts';
import { type VhostTracing, vhostTracing } from './vhost_tracing.ts';

export interface BusTapOptions {
  readonly seconds: number;
  readonly urls: BusUrls;
  readonly management: Pick<BrokerAccountsSettings, 'broker_management_ca'> & {
    readonly broker_management_url: Secret;
  };
  readonly tls: TlsClient | undefined;
  /** Of Trove's own topics those on which this deployment says nothing in clear. */
  readonly sealedTopics: readonly string[];
  readonly logger: Logger;
  /** Ends it early: then `read` rejects with its reason. */
  readonly signal?: AbortSignal;
}

const TRACE_EXCHANGE = 'amq.rabbitmq.trace';
/** Copies that wait to be read; what is more is lost, and said to be. */
const WAITING_AT_MOST = 50_000;
const PREFETCH = 500;
const PROBE_WITHIN_MS = 20_000;
const PROBE_EVERY_MS = 250;

/**
 * Reads copies of all messages of the buses' vhosts, with RabbitMQ's own tracing and the management URL's account. Tracing
 * that was off is turned off again however this ends. The broker holds a bounded number of copies, this process a few hundred.
 * `read` rejects with `BUS_UNAVAILABLE` or `RPC_REFUSED` where the account may not, or no copy comes.
 */
export function busTap(options: BusTapOptions): BusTap {
  return {
    async read(look) {
      const { management, urls } = options;
      const { fetch, close } = await managementFetch(management.broker_management_url, management);
      try {
        const api = createManagement(management.broker_management_url, fetch);
        const { tappable, notChecked } = vhostsOf(urls);
        const rest = await Promise.all(tappable.map((url) => tapVhost(options, api, url, look)));
        return { notChecked: [...notChecked, ...rest.flat()] };
      } finally {
        await close();
      }
    },
  };
}

/** The management URL is that of the sealed bus's broker, so another broker is out of its reach. */
function vhostsOf({ clear, sealed }: BusUrls): { tappable: readonly Secret[]; notChecked: readonly string[] } {
  const [one, other] = [parseTransportUrl(sealed, 'sealed_transport_url'), parseTransportUrl(clear, 'transport_url')];
  const hosts = new Set(one.hosts.map(({ host, port }) => `${host}:${port}`));
  if (!other.hosts.every(({ host, port }) => hosts.has(`${host}:${port}`)))
    return {
      tappable: [sealed],
      notChecked: ['the bus of transport_url: its broker is not that of broker_management_url'],
    };
  return { tappable: one.vhost === other.vhost ? [sealed] : [sealed, clear], notChecked: [] };
}

async function tapVhost(
  options: BusTapOptions,
  api: Management,
  url: Secret,
  look: (message: TappedOnBus) => void,
): Promise<readonly string[]> {
  const { seconds, signal, logger, tls } = options;
  const tracing = vhostTracing(api, parseTransportUrl(url, 'transport_url').vhost);
  signal?.throwIfAborted();
  const account = accountOf(options.management.broker_management_url);
  const transportUrl = urlWithAccount(url, account, 'transport_url');
  const bus = await createAmqpBus({ transportUrl, tls, logger, connectionName: 'trove-manage check' });
  let restore: VhostTracing | undefined;
  try {
    const copies = await readCopies(bus, (delivery) => tapped(delivery, options.sealedTopics), look).catch(
      (cause: unknown) => {
        throw cannotTap(url, account.user, cause);
      },
    );
    if (!(await tracing.isOn())) {
      restore = tracing;
      await tracing.turn(true);
    }
    if (!(await copies.probe(signal))) throw noCopies();
    await delay(seconds * 1000, undefined, { ...(signal !== undefined && { signal }) });
    const wasOnToTheEnd = await copies.probe(signal);
    return [
      ...(wasOnToTheEnd ? [] : ['the bus: the connection or the tracing ended while it was tapped']),
      ...(copies.lost() === 0 ? [] : [`the bus: ${copies.lost()} messages passed faster than they could be read`]),
    ];
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    await bus.close();
    await restore?.turn(false).catch((cause: unknown) => {
      throw leftOn(cause);
    });
  }
}

interface Copies {
  /** Whether a message of our own comes back as a copy, and with it all that passed before it. */
  probe(signal: AbortSignal | undefined): Promise<boolean>;
  lost(): number;
}

async function readCopies(
  bus: Bus,
  read: (copy: Delivery) => TappedOnBus,
  look: (message: TappedOnBus) => void,
): Promise<Copies> {
  const name = `trove.tap.${randomBytes(8).toString('hex')}`;
  const [queue, overflow] = [name, `${name}.overflow`];
  let lost = 0;
  const probes = new Set<string>();
  const limits = {
    'x-max-length': WAITING_AT_MOST,
    'x-overflow': 'drop-head',
    // What is dropped goes here, where it is only counted.
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': overflow,
  };
  const own = { durable: false, exclusive: true, autoDelete: true };
  await bus.declare({
    queues: [
      { ...own, name: overflow, arguments: { 'x-max-length': WAITING_AT_MOST, 'x-overflow': 'drop-head' } },
      { ...own, name: queue, arguments: limits },
    ],
    bindings: [{ exchange: TRACE_EXCHANGE, queue, routingKey: 'publish.#' }],
  });
  await bus.consume(overflow, { prefetch: PREFETCH, noAck: true }, async ({ headers }) => {
    // The probes themselves come here too.
    if ('exchange_name' in headers) lost += 1;
  });
  await bus.consume(queue, { prefetch: PREFETCH }, async (copy) => {
    const message = read(copy);
    if (message.exchange === '' && message.routingKey === overflow) probes.add(copy.body.toString('latin1'));
    else look(message);
    copy.ack();
  });
  return {
    lost: () => lost,
    async probe(signal) {
      const body = randomBytes(16);
      const end = performance.now() + PROBE_WITHIN_MS;
      while (performance.now() < end) {
        const publication = { exchange: '', routingKey: overflow, body, contentType: 'application/octet-stream' };
        await bus.publish({ ...publication, persistent: false, mandatory: false });
        await delay(PROBE_EVERY_MS, undefined, { ...(signal !== undefined && { signal }) });
        if (probes.has(body.toString('latin1'))) return true;
      }
      return false;
    },
  };
}

function tapped({ headers, body }: Delivery, sealedTopics: readonly string[]): TappedOnBus {
  const { exchange_name, routing_keys, properties } = headers;
  const [first] = Array.isArray(routing_keys) ? routing_keys : [];
  const exchange = typeof exchange_name === 'string' ? exchange_name : '';
  const routingKey = typeof first === 'string' ? first : '';
  const seen = readSeen({ exchange, routingKey, body }, sealedTopics);
  return { exchange, routingKey, ...seen, text: `${body.toString('latin1')}\n${JSON.stringify(properties ?? {})}` };
}

function accountOf(managementUrl: Secret): { user: string; password: Secret } {
  const { username, password } = new URL(managementUrl.reveal());
  return { user: decodeURIComponent(username), password: new Secret(decodeURIComponent(password)) };
}

/** A login that the broker refuses looks like a broker that is away. */
function cannotTap(url: Secret, user: string, cause: unknown): TroveError {
  const { vhost } = parseTransportUrl(url, 'transport_url');
  const why = cause instanceof Error ? cause.message : String(cause);
  const text = `The bus cannot be tapped in vhost "${vhost}" as "${user}", the account of broker_management_url, which needs all rights there: ${why}`;
  return new TroveError(isTroveError(cause) ? cause.code : 'RPC_REFUSED', text, { cause });
}

function noCopies(): TroveError {
  return new TroveError('BUS_UNAVAILABLE', 'The broker was told to trace, and no copy of a message comes.', {
    retryable: true,
  });
}

function leftOn(cause: unknown): TroveError {
  const text = "The broker's tracing could not be turned off again: do it with rabbitmqctl trace_off.";
  return new TroveError('BUS_UNAVAILABLE', text, { retryable: true, cause });
}
