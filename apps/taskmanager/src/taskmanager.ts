import { randomBytes } from 'node:crypto';
import {
  claimArrival,
  claimRings,
  createCatalogClock,
  createKeyStore,
  startChecked,
  storeAdoptedUplinks,
  unavailableCatalog,
} from '@trove/catalog';
import { type BrokenPart, createMetrics, showBuses, systemClock } from '@trove/common';
import { createGuestClient, createRefusalAudit, createTaskmanagerServer, startWhenReachable } from '@trove/crypto-rpc';
import { createTaskEngine } from '@trove/tasks';
import { taskmanagerHandlers } from './calls/pass_on.ts';
import { checkInstances } from './check_instances.ts';
import { readDeploymentId } from './deployment_id.ts';
import type { TaskmanagerDeps } from './deps.ts';
import { createGuestHello } from './guests/guest_hello.ts';
import { createGuestKeys } from './guests/guest_keys.ts';
import { brokenParts } from './health.ts';
import { measuredGuests, showCatalog } from './measure.ts';
import { reconcileRounds } from './reconcile/reconcile_rounds.ts';
import { createRounds } from './rounds/rounds.ts';
import { Unheard } from './tasks/shared/ask_guest.ts';
import { Knocks } from './tasks/shared/knocks.ts';
import { Restarts } from './tasks/shared/restarts.ts';
import type { TaskSettings, TaskTools } from './tasks/shared/tools.ts';
import { taskKinds } from './tasks/task_kinds.ts';

/** A taskmanager as a value: any number of them share one catalog and one bus. */
export interface Taskmanager {
  start(): Promise<void>;
  /** Takes no more, lets steps and calls end or gives them up with their leases, so that others go on. */
  close(): Promise<void>;
  health(): Promise<readonly BrokenPart[]>;
}

const DEFAULT_GRACE_MS = 20_000;

export function buildTaskmanager(deps: TaskmanagerDeps): Taskmanager {
  const { catalog, sealedBus, legacyBus, controlKeys, keyRings, settings, logger } = deps;
  const clock = deps.clock ?? systemClock;
  const graceMs = deps.graceMs ?? DEFAULT_GRACE_MS;
  const taskSettings = taskSettingsOf(deps);
  const keyStore = createKeyStore(catalog, keyRings, { role: 'taskmanager', clock });
  const wireClock = createCatalogClock(catalog, { clock, logger });
  const metrics = deps.metrics ?? createMetrics();
  const onRefused = createRefusalAudit(logger, metrics);
  showBuses(metrics, { sealed: sealedBus, clear: legacyBus });
  showCatalog(metrics, catalog);
  const controlExchange = settings.control_exchange;
  const client = createGuestClient({
    sealedBus,
    legacyBus,
    keyStore,
    controlExchange,
    logger,
    clock: wireClock,
    onRefused,
  });
  const guests = measuredGuests(client, metrics);
  const keys = createGuestKeys({ catalog, rings: keyRings, keyStore });
  const hello = createGuestHello({ catalog, guests, keys, logger });
  const tools: TaskTools = {
    ...{ catalog, compute: deps.compute, accounts: deps.accounts, guests, keys, hello },
    // What a step notes of time is read by whoever takes the task over: the catalog's time, which is one for all machines.
    clock: wireClock,
    unheard: new Unheard(),
    knocks: new Knocks(),
    restarts: new Restarts(),
    controlRing: controlKeys.ring,
    settings: taskSettings,
    deploymentId: () => readDeploymentId(catalog),
  };
  const engine = createTaskEngine({
    catalog,
    kinds: taskKinds(tools),
    owner: `${settings.host}/${process.pid}/${randomBytes(4).toString('hex')}`,
    logger,
    clock,
    graceMs,
    ...deps.engine,
  });
  const calls = createTaskmanagerServer({
    bus: sealedBus,
    legacyBus,
    controlKeys,
    controlExchange,
    host: settings.host,
    taskmanagerQueue: settings.taskmanager_queue,
    handlers: taskmanagerHandlers({
      guests,
      hello,
      ring: (taskId) => engine.ring(taskId),
      patienceMs: { low: taskSettings.lowMs, high: taskSettings.highMs },
    }),
    firstArrival: ({ role, messageId, expiresMs }) =>
      claimArrival(catalog.knex, { sender: role, messageId, expiresMs: expiresMs ?? wireClock.now() }).catch(
        unavailableCatalog,
      ),
    logger,
    clock: wireClock,
    onRefused,
  });
  const server = startWhenReachable(calls, { logger, clock });
  const allRings = { ...keyRings, control: controlKeys.ring };
  let starting: Awaited<ReturnType<typeof startChecked>> | undefined;
  const rounds = [
    ...createRounds({ ...tools, logger, adoptUplinks: () => storeAdoptedUplinks(catalog, keyRings) }),
    ...reconcileRounds(tools, { ...deps, metrics }),
  ];

  return {
    async start() {
      starting = await startChecked(catalog, {
        ...{ logger, clock, stop: deps.stop },
        async check(answering) {
          await checkInstances(answering, controlKeys.ring, keyRings);
          await claimRings(answering, allRings);
        },
        async begin() {
          await wireClock.start();
          engine.start();
          for (const round of rounds) round.start();
        },
      });
      await server.start();
    },
    async close() {
      await starting?.close();
      // Side by side: leases are to be free at once, and a call to a guest may take minutes.
      const graceOver = setTimeout(() => void guests.close(), graceMs);
      await Promise.all([server.close(), engine.close(), ...rounds.map((round) => round.stop())]);
      clearTimeout(graceOver);
      await guests.close();
      wireClock.stop();
    },
    health: () => brokenParts({ catalog, sealedBus, legacyBus, engine }),
  };
}

function taskSettingsOf({ settings, guestTransport }: TaskmanagerDeps): TaskSettings {
  return {
    secureMessaging: settings.enable_secure_rpc_messaging,
    lowMs: settings.agent_call_low_timeout * 1000,
    highMs: settings.agent_call_high_timeout * 1000,
    reportIntervalMs: settings.report_interval * 1000,
    agent: {
      brokerAuthority: guestTransport.authority,
      transportUrl: guestTransport.clear,
      sealedTransportUrl: guestTransport.sealed,
      controlExchange: settings.control_exchange,
      conductorQueue: settings.conductor_queue,
      reportIntervalSeconds: settings.report_interval,
    },
  };
}
