import { type Catalog, catalogAnswers, createCatalogClock, createKeyStore, type KeyRings } from '@trove/catalog';
import {
  type BrokenPart,
  type Clock,
  createMetrics,
  type Logger,
  type Metrics,
  showBuses,
  systemClock,
} from '@trove/common';
import { type Bus, createConductorServer, createRefusalAudit, startWhenReachable } from '@trove/crypto-rpc';
import { conductorHandlers } from './handlers.ts';
import { measuredHandlers } from './measured_handlers.ts';
import type { ConductorSettings } from './options.ts';

/** All that a conductor works with. Whoever opened it closes it, after the conductor. */
export interface ConductorDeps {
  readonly catalog: Catalog;
  readonly sealedBus: Bus;
  /** The same object where both are one vhost. */
  readonly legacyBus: Bus;
  /** Only uplink keys are opened with them. */
  readonly keyRings: KeyRings;
  readonly settings: ConductorSettings;
  readonly logger: Logger;
  /** Default: one that nobody reads. */
  readonly metrics?: Metrics;
  readonly clock?: Clock;
}

/** A conductor as a value: any number of them share one catalog and one bus. */
export interface Conductor {
  start(): Promise<void>;
  /** Takes no more; what it has taken is written first. */
  close(): Promise<void>;
  health(): Promise<readonly BrokenPart[]>;
}

export function buildConductor(deps: ConductorDeps): Conductor {
  const { catalog, sealedBus, legacyBus, settings, logger } = deps;
  const clock = deps.clock ?? systemClock;
  const metrics = deps.metrics ?? createMetrics();
  showBuses(metrics, { sealed: sealedBus, clear: legacyBus });
  const wireClock = createCatalogClock(catalog, { clock, logger });
  const reports = createConductorServer({
    ...{ sealedBus, legacyBus, logger, clock: wireClock },
    keyStore: createKeyStore(catalog, deps.keyRings, { role: 'conductor', clock }),
    controlExchange: settings.control_exchange,
    conductorQueue: settings.conductor_queue,
    host: settings.host,
    allowPlaintext: settings.allow_plaintext,
    handlers: measuredHandlers(conductorHandlers({ catalog, logger }), metrics),
    onRefused: createRefusalAudit(logger, metrics),
  });
  const server = startWhenReachable(reports, { logger, clock });
  const start = async (): Promise<void> => {
    await wireClock.start();
    await server.start();
  };
  const close = async (): Promise<void> => {
    await server.close();
    wireClock.stop();
  };
  return { start, close, health: () => brokenParts(deps) };
}

async function brokenParts({ catalog, sealedBus, legacyBus }: ConductorDeps): Promise<readonly BrokenPart[]> {
  const broken: BrokenPart[] = [];
  if (!(await catalogAnswers(catalog))) broken.push({ part: 'catalog', reason: 'no answer' });
  if (sealedBus.state !== 'connected') broken.push({ part: 'bus', reason: `sealed bus is ${sealedBus.state}` });
  if (legacyBus !== sealedBus && legacyBus.state !== 'connected') {
    broken.push({ part: 'bus', reason: `clear bus is ${legacyBus.state}` });
  }
  return broken;
}
