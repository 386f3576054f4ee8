import { join } from 'node:path';
import {
  accountOfUrl,
  type BrokenPart,
  type Clock,
  createMetrics,
  fullJitterMs,
  isUuid,
  type Logger,
  loadBrokerTls,
  type Metrics,
  type Secret,
  systemClock,
  TroveError,
} from '@trove/common';
import {
  type Bus,
  createAmqpBus,
  createGuestServer,
  createRefusalAudit,
  type GuestServer,
  guestAccount,
  type OnRefused,
  type PasswordChoice,
} from '@trove/crypto-rpc';
import { datastoreDriverFor } from '@trove/datastores';
import type { GuestContext } from './guest_context.ts';
import { GuestStatus } from './guest_status.ts';
import { guestHandlers } from './handlers/index.ts';
import { Heartbeats } from './heartbeats.ts';
import type { GuestConfig } from './options.ts';
import { datastorePlace, type ServerFacts } from './server_facts.ts';
import { Fence } from './state/fence.ts';
import { GuestFiles } from './state/guest_files.ts';
import { InjectedFiles } from './state/injected_files.ts';
import { OnceJournal } from './state/once_journal.ts';
import { PrepareMarkers } from './state/prepare_markers.ts';
import { volumeStats } from './volume_stats.ts';

export interface BusRequest {
  /** From the agent's own file: `sealed_transport_url` where it has a key, else `transport_url`. */
  readonly transportUrl: Secret;
  readonly connectionName: string;
  readonly instanceId: string;
  /** In place of the URL's password, where the account is the guest's own. */
  readonly passwords?: PasswordChoice | undefined;
}

export interface GuestAgentOptions {
  /** From `loadGuestConfig`. */
  readonly config: GuestConfig;
  /** The files that it was read from: the agent keeps its key there. */
  readonly configFiles: readonly string[];
  /** From `readServerFacts`. */
  readonly server: ServerFacts;
  /** Connects to a URL; default AMQP. Standalone's answers `memory://`. The agent closes what it gets. */
  readonly connect?: (request: BusRequest) => Promise<Bus>;
  readonly logger: Logger;
  /** Default: one that nobody reads. */
  readonly metrics?: Metrics;
  readonly clock?: Clock;
}

export interface GuestAgent {
  /** Connects, serves, reports, and starts or takes over the database of a prepared instance; does not wait for the broker. */
  start(): Promise<void>;
  /** What is broken now. */
  health(): readonly BrokenPart[];
  /** Takes no more, ends what runs; then stops the database, or leaves it to the next agent. */
  close(options: { readonly database: 'stop' | 'leave' }): Promise<void>;
}

const AFTER_HELLO_MS = 1000;
const RETRY_CAP_MS = 10_000;

/** The agent of one instance. It knows its injected files, its server and the bus, and nothing of the control plane. */
export function buildGuestAgent(options: GuestAgentOptions): GuestAgent {
  return new InstanceAgent(options);
}

class InstanceAgent implements GuestAgent {
  readonly #options: GuestAgentOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #instanceId: string;
  readonly #context: GuestContext;
  readonly #files: InjectedFiles;
  readonly #onRefused: OnRefused;
  readonly #heartbeats: Heartbeats;
  readonly #background = new Set<Promise<unknown>>();
  readonly #stop = new AbortController();
  #changes: Promise<unknown> = Promise.resolve();
  #bus: Bus | undefined;
  #server: GuestServer | undefined;

  constructor(options: GuestAgentOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#instanceId = instanceIdOf(options.config);
    this.#logger = options.logger.child({ instance_id: this.#instanceId });
    this.#context = this.#makeContext();
    const { configFiles } = options;
    this.#files = new InjectedFiles({ configFiles, instanceId: this.#instanceId, logger: this.#logger });
    this.#onRefused = createRefusalAudit(this.#logger, options.metrics ?? createMetrics());
    this.#heartbeats = new Heartbeats({
      instanceId: this.#instanceId,
      status: this.#context.status,
      volume: () => volumeStats(options.server),
      report: async (args) => {
        if (this.#server === undefined) throw new TroveError('BUS_UNAVAILABLE', 'The agent does not serve yet.');
        await this.#server.report('heartbeat', args);
      },
      intervalMs: options.config.DEFAULT.report_interval * 1000,
      clock: this.#clock,
      logger: this.#logger,
    });
  }

  async start(): Promise<void> {
    const transportUrl = transportUrlOf(this.#options.config);
    const connect = this.#options.connect ?? ((request) => this.#connect(request));
    const connectionName = `trove-guestagent ${this.#instanceId}`;
    const passwords = this.#isKeyed() ? this.#files.passwords() : undefined;
    this.#bus = await connect({ transportUrl, connectionName, instanceId: this.#instanceId, passwords });
    this.#bus.onConnected(() => void this.#heartbeats.now());
    if (this.#context.markers.state() === 'done')
      this.#inBackground(this.#context.exclusively(() => this.#resumeDatabase()));
    this.#inBackground(this.#serve(this.#bus));
  }

  health(): readonly BrokenPart[] {
    const state = this.#bus?.state ?? 'connecting';
    return state === 'connected' ? [] : [{ part: 'bus', reason: state }];
  }

  async close({ database }: { readonly database: 'stop' | 'leave' }): Promise<void> {
    this.#stop.abort();
    await this.#server?.close();
    await Promise.all(this.#background);
    await this.#changes;
    await this.#heartbeats.close();
    await this.#bus?.close();
    if (database === 'stop') await this.#context.datastore.stop();
  }

  /** What was sent before the taskmanager knew of this boot did not count; it has stored it a moment after `hello`. */
  async #reportGreeted(): Promise<void> {
    await this.#clock.sleep(AFTER_HELLO_MS, this.#stop.signal).catch(() => undefined);
    await this.#heartbeats.now();
  }

  #connect(request: BusRequest): Promise<Bus> {
    const tls = loadBrokerTls(this.#options.config.oslo_messaging_rabbit, [request.transportUrl]);
    return createAmqpBus({ ...request, tls, logger: this.#logger, clock: this.#clock });
  }

  /** A prepared instance's database runs whenever its agent does. */
  async #resumeDatabase(): Promise<void> {
    await this.#context.datastore.start();
    await this.#context.tell();
    this.#logger.info('database serves');
  }

  /** Serves as soon as the broker lets it, however long that takes. */
  async #serve(bus: Bus): Promise<void> {
    const { config } = this.#options;
    const account = ownAccount(config, this.#instanceId);
    for (let attempt = 0; !this.#stop.signal.aborted; attempt += 1) {
      const server = createGuestServer({
        bus,
        instanceId: this.#instanceId,
        ...(this.#isKeyed() && { keys: this.#files }),
        passFence: (fence) => this.#context.fence.pass(fence),
        ...(account !== undefined && { account }),
        controlExchange: config.DEFAULT.control_exchange,
        conductorQueue: config.DEFAULT.conductor_queue,
        handlers: guestHandlers(this.#context),
        onGreeted: () => void this.#reportGreeted(),
        logger: this.#logger,
        clock: this.#clock,
        onRefused: this.#onRefused,
      });
      try {
        await server.start();
        this.#server = server;
        this.#logger.info('agent serves');
        this.#heartbeats.start();
        return;
      } catch (error) {
        this.#logger.warn('agent cannot serve yet', { error });
        await server.close();
        await this.#clock.sleep(fullJitterMs(attempt, 500, RETRY_CAP_MS), this.#stop.signal).catch(() => undefined);
      }
    }
  }

  #isKeyed(): boolean {
    return this.#options.config.DEFAULT.instance_rpc_encr_key !== undefined;
  }

  #makeContext(): GuestContext {
    const { server } = this.#options;
    const datastore = datastoreDriverFor(server.manager).open(datastorePlace(server));
    const files = new GuestFiles(join(server.volume_dir, 'agent'), server.account);
    const markers = new PrepareMarkers(files);
    return {
      facts: server,
      datastore,
      markers,
      journal: new OnceJournal(
        new GuestFiles(join(server.volume_dir, 'agent/journal'), server.account),
        this.#clock,
        this.#logger,
      ),
      fence: new Fence(files),
      status: new GuestStatus(datastore, markers),
      logger: this.#logger,
      tell: () => this.#heartbeats.now(),
      exclusively: (work) => this.#exclusively(work),
      inBackground: (work) => this.#inBackground(work),
    };
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#changes.then(work);
    this.#changes = result.catch(() => undefined);
    return result;
  }

  #inBackground(work: Promise<unknown>): void {
    const watched = work
      .catch((error: unknown) => this.#logger.error('background work failed', { error }))
      .finally(() => this.#background.delete(watched));
    this.#background.add(watched);
  }
}

function instanceIdOf(config: GuestConfig): string {
  const id = config.DEFAULT.guest_id;
  if (id === undefined || !isUuid(id))
    throw new TroveError('CONFIG_INVALID', '[DEFAULT] guest_id must be the id of the instance');
  return id;
}

/** The guest's own broker account, if that is what it connects with: the broker then vouches for what it publishes. */
function ownAccount(config: GuestConfig, instanceId: string): string | undefined {
  const user = accountOfUrl(transportUrlOf(config))?.user;
  return user === guestAccount(instanceId) ? user : undefined;
}

function transportUrlOf(config: GuestConfig): Secret {
  const { instance_rpc_encr_key, sealed_transport_url, transport_url } = config.DEFAULT;
  const url = instance_rpc_encr_key === undefined ? transport_url : (sealed_transport_url ?? transport_url);
  if (url === undefined) throw new TroveError('CONFIG_INVALID', '[DEFAULT] transport_url must be set for the agent');
  return url;
}
