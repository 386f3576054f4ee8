import { loadConfig, TroveError } from '@trove/common';
import { dockerHosts, ensureNetwork, httpStatus, openEngines } from '@trove/compute';
import { taskmanagerOptions } from '@trove/taskmanager';

/** The service whose container guests have to reach, and the name by which they do. */
const BROKER = 'rabbitmq';
const PROJECT = 'com.docker.compose.project';
const SERVICE = 'com.docker.compose.service';
const ALREADY_THERE = 403;
const PATIENCE_MS = 60_000;

/**
 * Puts this project's broker on the instances' network. That network is not one of docker-compose.yml, which would refuse to
 * go down while instances stand on it; and the broker's container is a new one after each `down`. Returns what to tell.
 */
export async function joinNetwork(env: NodeJS.ProcessEnv): Promise<string> {
  const config = loadConfig({ files: [], env, options: taskmanagerOptions, service: 'trove-stack' }).compute_docker;
  const tls = { ca: config.ca_file, cert: config.cert_file, key: config.key_file };
  const [engine] = await openEngines(dockerHosts(config), tls);
  if (engine === undefined) throw new TroveError('CONFIG_INVALID', '[compute_docker] names no host.');
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const network = await ensureNetwork(engine, config.network, signal);
  const self = await engine.call((docker) => docker.getContainer(env.HOSTNAME ?? '').inspect());
  const project = self.Config.Labels[PROJECT] ?? '';
  const label = [`${PROJECT}=${project}`, `${SERVICE}=${BROKER}`];
  const [broker] = await engine.call((docker) => docker.listContainers({ filters: { label } }));
  if (broker === undefined) throw new TroveError('COMPUTE_ERROR', `No container of ${BROKER} runs in this project.`);
  const wanted = { Container: broker.Id, EndpointConfig: { Aliases: [BROKER] } };
  if (network.name in broker.NetworkSettings.Networks) return `The broker is on ${network.name}.`;
  try {
    await engine.call((docker) => docker.getNetwork(network.name).connect(wanted));
  } catch (error) {
    if (httpStatus(error) !== ALREADY_THERE) throw error;
  }
  return `The broker has joined ${network.name}.`;
}
