import { type Clock, systemClock } from '@trove/common';
import { conductorApi } from '@trove/contracts';
import type { Delivery, Subscription } from '../bus/bus.ts';
import type { Header } from '../codecs/v2/header.ts';
import { createOpener } from '../codecs/v2/open.ts';
import { CONDUCTOR } from '../codecs/v2/party.ts';
import { Batcher } from './batcher.ts';
import { checkLife, checkTime, EVENT_LIFE_MS, HEARTBEAT_LIFE_MS } from './freshness.ts';
import { type LegacyReportMessage, legacyReport, legacyReportChecks } from './legacy_reports.ts';
import { reportKeys } from './peer_keys.ts';
import { receive } from './pipeline.ts';
import { ReportSenders } from './report_senders.ts';
import { headerOf, openingChecks, present, requestChecks, type SealedRequest } from './sealed_checks.ts';
import { EVENT_QUEUE, HEARTBEAT_QUEUES, legacyServiceTopology, SEALED_TOPOLOGY } from './topology.ts';
import type { ConductorServerOptions, EventReport, HeartbeatReport, RpcServer, VerifiedReport } from './types.ts';

const BATCH = 200;
const BATCH_WAIT_MS = 50;
const HEARTBEATS_PER_SHARD = 100;
const EVENTS_AT_A_TIME = 20;
const LEGACY_AT_A_TIME = 400;
/** Between two deliveries of an event whose effect failed, so that a short outage does not use up its deliveries. */
const EVENT_RETRY_MS = 1000;
const DEFAULT_TOPIC = 'trove-conductor';
const DEFAULT_HOST = '0.0.0.0';

interface Held {
  readonly report: HeartbeatReport;
  readonly delivery: Delivery;
}

/** The conductor's side: reports of v2 guests from their own queues, those of legacy guests from Trove's. */
export function createConductorServer(options: ConductorServerOptions): RpcServer {
  return new ReportServer(options);
}

class ReportServer implements RpcServer {
  readonly #options: ConductorServerOptions;
  readonly #clock: Clock;
  readonly #checks;
  readonly #legacyChecks;
  readonly #heartbeats: Batcher<Held>;
  readonly #stop = new AbortController();
  #subscriptions: Subscription[] = [];

  constructor(options: ConductorServerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const senders = new ReportSenders(options.keyStore, this.#clock);
    const opening = openingChecks({
      me: CONDUCTOR,
      allowed: [{ role: 'guest', kinds: ['report'] }],
      findSender: async ({ sender, keyVersion }, userId) =>
        sender.role === 'guest'
          ? reportKeys(await senders.find({ instanceId: sender.instanceId, keyVersion, userId }))
          : undefined,
      opener: createOpener(() => this.#clock.monotonic()),
    });
    this.#checks = [...opening, ...requestChecks(conductorApi, (message) => this.#judge(message))];
    this.#legacyChecks = legacyReportChecks(new ReportSenders(options.keyStore, this.#clock), options.allowPlaintext);
    this.#heartbeats = new Batcher(BATCH, BATCH_WAIT_MS, (batch) => this.#onBatch(batch));
  }

  async start(): Promise<void> {
    const {
      sealedBus,
      legacyBus,
      controlExchange,
      conductorQueue = DEFAULT_TOPIC,
      host = DEFAULT_HOST,
    } = this.#options;
    await sealedBus.declare(SEALED_TOPOLOGY);
    await legacyBus.declare(legacyServiceTopology(controlExchange, conductorQueue, host));
    const sealed = HEARTBEAT_QUEUES.map((queue) => ({ queue, prefetch: HEARTBEATS_PER_SHARD }));
    for (const { queue, prefetch } of [...sealed, { queue: EVENT_QUEUE, prefetch: EVENTS_AT_A_TIME }]) {
      const onDelivery = (delivery: Delivery): Promise<void> => this.#onSealed(delivery, queue);
      this.#subscriptions.push(await sealedBus.consume(queue, { prefetch }, onDelivery));
    }
    for (const queue of [conductorQueue, `${conductorQueue}.${host}`]) {
      const onDelivery = (delivery: Delivery): Promise<void> => this.#onLegacy(delivery, queue);
      this.#subscriptions.push(await legacyBus.consume(queue, { prefetch: LEGACY_AT_A_TIME }, onDelivery));
    }
  }

  async close(): Promise<void> {
    const cancelled = Promise.all(this.#subscriptions.map((subscription) => subscription.cancel()));
    this.#stop.abort(new Error('closing'));
    this.#heartbeats.flush();
    await cancelled;
  }

  /** A boot that was not greeted may have any time: its reports change nothing, and make a taskmanager greet it. */
  #judge(message: SealedRequest): void {
    const header = headerOf(message);
    checkLife(header, message.request?.method === 'heartbeat' ? HEARTBEAT_LIFE_MS : EVENT_LIFE_MS);
    if (message.senderKeys?.bootNonce?.equals(header.bootNonce) !== true) return;
    try {
      checkTime(header, this.#clock.now());
    } catch (error) {
      this.#wantHello(header);
      throw error;
    }
    if (message.senderKeys?.isUnsettled?.(header.keyVersion) === true) this.#wantHello(header);
  }

  #wantHello({ sender }: Header): void {
    const instanceId = sender.instanceId ?? '';
    this.#options.handlers.helloWanted(instanceId).catch((failure: unknown) => {
      this.#options.logger.warn('hello not asked for', { instance_id: instanceId, error: failure });
    });
  }

  async #onSealed(delivery: Delivery, queue: string): Promise<void> {
    const { logger, onRefused } = this.#options;
    const message: SealedRequest = { delivery };
    if (!(await receive(this.#checks, message, { queue, logger, onRefused }))) return;
    const header = headerOf(message);
    const { method, args } = present(message.request, 'content');
    await this.#take(delivery, {
      instanceId: header.sender.instanceId ?? '',
      method,
      args,
      messageId: header.messageId.toString('hex'),
      expiresMs: header.expires,
      bootNonce: Buffer.from(header.bootNonce),
      sequence: header.sequence,
      keyVersion: header.keyVersion,
      legacy: false,
    });
  }

  async #onLegacy(delivery: Delivery, queue: string): Promise<void> {
    const { logger, onRefused } = this.#options;
    const message: LegacyReportMessage = { delivery };
    if (!(await receive(this.#legacyChecks, message, { queue, logger, onRefused }))) return;
    await this.#take(delivery, legacyReport(message, this.#clock));
  }

  async #take(delivery: Delivery, checked: CheckedReport): Promise<void> {
    // The arguments were checked against the schema of exactly this method.
    const report = checked as VerifiedReport;
    if (report.method === 'heartbeat') await this.#heartbeats.add({ report, delivery });
    else await this.#onEvent(delivery, report);
  }

  async #onBatch(batch: readonly Held[]): Promise<void> {
    try {
      await this.#options.handlers.heartbeats(batch.map(({ report }) => report));
      for (const { delivery } of batch) delivery.ack();
    } catch (error) {
      this.#options.logger.error('heartbeats not stored', { error, count: batch.length });
      for (const { delivery } of batch) delivery.reject();
    }
  }

  async #onEvent(delivery: Delivery, report: EventReport): Promise<void> {
    try {
      await this.#options.handlers.event(report);
      delivery.ack();
    } catch (error) {
      const { method, instanceId } = report;
      this.#options.logger.error('report not stored', { error, method, instance_id: instanceId });
      await this.#clock.sleep(EVENT_RETRY_MS, this.#stop.signal).catch(() => {});
      delivery.requeue();
    }
  }
}

/** A report whose method and arguments fit each other, which the type system cannot see. */
export type CheckedReport = Omit<VerifiedReport, 'method' | 'args'> & {
  readonly method: string;
  readonly args: unknown;
};
