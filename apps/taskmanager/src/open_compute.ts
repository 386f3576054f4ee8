import { type Logger, systemClock } from '@trove/common';
import { type ComputeDriver, openDockerCompute } from '@trove/compute';
import { detachedAgents, openLocalCompute } from './local_compute.ts';
import type { TaskmanagerConfig } from './options.ts';
import { createRound } from './rounds/round.ts';

/** The driver that the configuration names, and what goes on around it while the service runs. */
export interface OpenedCompute {
  readonly driver: ComputeDriver;
  /** Takes up the servers that should run, and watches over them from then on. */
  start(): Promise<void>;
  /** Watches no longer; servers go on. */
  close(): Promise<void>;
}

const BRING_BACK_EVERY_MS = 60_000;

export function openCompute(
  config: TaskmanagerConfig,
  deploymentId: () => Promise<string>,
  logger: Logger,
): Promise<OpenedCompute> {
  return config.DEFAULT.compute_driver === 'docker'
    ? openDocker(config, deploymentId, logger)
    : openLocal(config, logger);
}

async function openLocal(config: TaskmanagerConfig, logger: Logger): Promise<OpenedCompute> {
  const { compute, housing } = openLocalCompute(config, detachedAgents, logger);
  for (const notice of housing.notices) logger.warn('guests live elsewhere than was asked for', { notice });
  return {
    driver: compute,
    start: () => compute.adoptAll(),
    close: () => compute.close({ stopServers: false }),
  };
}

/** Engines bring their containers back by themselves; what one could not, because it was too early, is started again here. */
async function openDocker(
  config: TaskmanagerConfig,
  deploymentId: () => Promise<string>,
  logger: Logger,
): Promise<OpenedCompute> {
  const compute = await openDockerCompute(config.compute_docker);
  const round = createRound({
    name: 'stopped servers',
    everyMs: BRING_BACK_EVERY_MS,
    turn: async () => compute.bringBack(await deploymentId(), logger),
    clock: systemClock,
    logger,
  });
  return {
    driver: compute,
    async start() {
      await compute.check(logger);
      round.start();
    },
    close: () => round.stop(),
  };
}
