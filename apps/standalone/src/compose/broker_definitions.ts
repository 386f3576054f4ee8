import { createHash } from 'node:crypto';
import { SEALED_TOPOLOGY } from '@trove/crypto-rpc';
import type { StackSecrets } from './secrets.ts';

/** Sealed messages, and apart from them what Trove's own guests say in clear. */
export const VHOST = 'trove';
export const LEGACY_VHOST = 'trove-legacy';

interface Walls {
  readonly vhost: string;
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

interface BrokerUser {
  readonly name: string;
  readonly password: string;
  readonly tags: readonly string[];
  readonly walls: readonly Walls[];
}

/** What RabbitMQ loads at each start: vhosts, the services' accounts, and the topology that all of them share. */
export function brokerDefinitions(secrets: StackSecrets): string {
  const users = brokerUsers(secrets);
  const { exchanges = [], queues = [], bindings = [] } = SEALED_TOPOLOGY;
  const definitions = {
    vhosts: [{ name: VHOST }, { name: LEGACY_VHOST }],
    users: users.map(({ name, password, tags }) => ({
      name,
      password_hash: passwordHash(name, password),
      hashing_algorithm: 'rabbit_password_hashing_sha256',
      tags,
    })),
    permissions: users.flatMap(({ name, walls }) => walls.map((wall) => ({ user: name, ...wall }))),
    exchanges: exchanges.map((exchange) => ({
      vhost: VHOST,
      auto_delete: false,
      internal: false,
      arguments: {},
      ...exchange,
    })),
    queues: queues.map(({ name, durable, arguments: limits = {} }) => ({
      vhost: VHOST,
      ...{ name, durable },
      auto_delete: false,
      arguments: limits,
    })),
    bindings: bindings.map(({ exchange, queue, routingKey }) => ({
      vhost: VHOST,
      source: exchange,
      destination: queue,
      destination_type: 'queue',
      routing_key: routingKey,
      arguments: {},
    })),
  };
  return `${JSON.stringify(definitions, null, 2)}\n`;
}

const REPLIES = String.raw`reply\.[0-9a-f]{16}`;
const GUEST_QUEUES = String.raw`guest\.[0-9a-f-]{36}`;
const SHARED_QUEUES = (SEALED_TOPOLOGY.queues ?? []).map(({ name }) => escaped(name));
const EXCHANGES = (SEALED_TOPOLOGY.exchanges ?? []).map(({ name }) => escaped(name));
const of = (...parts: readonly string[]): string => String.raw`^(${parts.join('|')})\z`;

/**
 * Each service declares the shared topology and binds it, which needs all of its names; it consumes from its own queues and
 * publishes to its own exchanges only. The queues are there before the services, so that none needs to read another's.
 */
function brokerUsers(secrets: StackSecrets): readonly BrokerUser[] {
  const shared = of(...EXCHANGES, ...SHARED_QUEUES, REPLIES);
  const everything = (vhost: string): Walls => ({ vhost, configure: '.*', write: '.*', read: '.*' });
  const service = (name: string, password: string, ...walls: readonly Walls[]): BrokerUser => ({
    ...{ name, password, walls },
    tags: [],
  });
  return [
    {
      name: 'trove-operator',
      password: secrets.brokerOperator,
      tags: ['administrator'],
      walls: [everything(VHOST), everything(LEGACY_VHOST)],
    },
    {
      name: 'trove-provisioner',
      password: secrets.brokerProvisioner,
      tags: ['administrator'],
      walls: [
        {
          vhost: VHOST,
          configure: of(GUEST_QUEUES, String.raw`trove\.down`),
          write: of(GUEST_QUEUES),
          read: of(String.raw`trove\.down`),
        },
      ],
    },
    service('trove-api', secrets.brokerApi, {
      vhost: VHOST,
      configure: shared,
      write: of(String.raw`trove\.tasks`, ...SHARED_QUEUES, REPLIES),
      read: of(...EXCHANGES, REPLIES),
    }),
    service('trove-taskmanager', secrets.brokerTaskmanager, {
      vhost: VHOST,
      configure: of(...EXCHANGES, ...SHARED_QUEUES, REPLIES, GUEST_QUEUES),
      write: of(String.raw`trove\.(down|reply)`, ...SHARED_QUEUES, REPLIES, GUEST_QUEUES),
      read: of(...EXCHANGES, String.raw`taskmanager\.(tasks|calls)`, REPLIES),
    }),
    service(
      'trove-conductor',
      secrets.brokerConductor,
      {
        vhost: VHOST,
        configure: shared,
        write: of(...SHARED_QUEUES),
        read: of(...EXCHANGES, String.raw`conductor\.(ev|hb\.[0-9a-f])`),
      },
      {
        vhost: LEGACY_VHOST,
        configure: of('trove', 'trove-conductor.*'),
        write: of('trove-conductor.*'),
        read: of('trove', 'trove-conductor.*'),
      },
    ),
    service('trove-legacy', secrets.brokerLegacy, everything(LEGACY_VHOST)),
  ];
}

/** As RabbitMQ keeps passwords: salt, then SHA-256 of salt and password. The salt follows from both, so that the file is stable. */
function passwordHash(user: string, password: string): string {
  const salt = createHash('sha256').update(`${user}:${password}:salt`).digest().subarray(0, 4);
  const hash = createHash('sha256').update(salt).update(password).digest();
  return Buffer.concat([salt, hash]).toString('base64');
}

function escaped(text: string): string {
  return text.replaceAll('.', String.raw`\.`);
}

/** The broker's own settings. The memory limit is that of its container less what Erlang needs beside its queues. */
export function brokerSettings(definitionsFile: string): string {
  return `load_definitions = ${definitionsFile}
listeners.tcp.default = 5672
management.tcp.port = 15672
log.console = true
log.console.level = warning
vm_memory_high_watermark.absolute = 600MB
max_message_size = 4194304
`;
}
