import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { archiveOf, type Engine, filesOf, httpStatus } from '@trove/compute';
import type { ServerFacts } from '../../outside.ts';

const MARKER = 'left-by-the-operator';
const ROOT = '/var/lib/trove/root';
const VOLUME = '/var/lib/trove/volume';
const GUEST = { uid: 10_001, gid: 10_001 };
const SERVICE = { uid: 1000, gid: 1000 };

/** What stands on the engine for one project, by the engine's own API: neither Compose nor our driver is asked. */
export interface StackContainers {
  /** The address of a service on the stack's own network, as it is now. */
  address(service: string): Promise<string>;
  isHealthy(service: string): Promise<boolean>;
  /** How often the engine has brought a service's container back. */
  restarts(service: string): Promise<number>;
  /** Ends a service as a crash does: SIGKILL, and the engine left to find it. */
  kill(service: string): Promise<void>;
  /** Files in the volumes that `init` sees, `/stack/…`. */
  readFile(path: string): Promise<string>;
  writeFile(path: string, text: string): Promise<void>;
  server(instanceId: string): Promise<ServerFacts>;
  leaveMarkers(instanceId: string): Promise<void>;
  /** Every container and volume of the instances on this network, then the network. */
  removeInstances(network: string): Promise<void>;
}

export function stackContainers(engine: Engine, project: string): StackContainers {
  const ofService = async (service: string) => {
    const label = [
      `com.docker.compose.project=${project}`,
      `com.docker.compose.service=${service}`,
      'com.docker.compose.oneoff=False',
    ];
    const [found] = await engine.call((docker) => docker.listContainers({ all: true, filters: { label } }));
    if (found === undefined) throw new Error(`no container of ${service} in ${project}`);
    return found.Id;
  };
  const inspect = async (service: string) => {
    const id = await ofService(service);
    return engine.call((docker) => docker.getContainer(id).inspect());
  };
  const serverOf = async (instanceId: string) => {
    const label = [`trove.instance=${instanceId}`, 'trove.kind=server'];
    const [found] = await engine.call((docker) => docker.listContainers({ filters: { label } }));
    if (found === undefined) throw new Error(`no server of instance ${instanceId} runs`);
    return found;
  };
  const read = async (id: string, path: string): Promise<string | undefined> => {
    try {
      const files = await engine.call(async (docker) => filesOf(await docker.getContainer(id).getArchive({ path })));
      return files[posix.basename(path)];
    } catch (error) {
      if (httpStatus(error) === 404) return undefined;
      throw error;
    }
  };
  const write = async (id: string, path: string, text: string, owner: typeof GUEST): Promise<void> => {
    const tar = await archiveOf([{ kind: 'file', name: posix.basename(path), owner, mode: 0o600, text }]);
    await engine.call((docker) => docker.getContainer(id).putArchive(tar, { path: posix.dirname(path) }));
  };
  return {
    async address(service) {
      const { NetworkSettings } = await inspect(service);
      const address = NetworkSettings.Networks[`${project}_control`]?.IPAddress ?? '';
      if (address === '') throw new Error(`${service} does not run`);
      return address;
    },
    async isHealthy(service) {
      const { State } = await inspect(service);
      return State.Running && State.Health?.Status === 'healthy';
    },
    restarts: async (service) => (await inspect(service)).RestartCount,
    async kill(service) {
      const { Id, State } = await inspect(service);
      // What the engine itself has killed it leaves down, so the process is killed; only where it is one of this machine's.
      if (!readFileSync(`/proc/${State.Pid}/cgroup`, 'utf8').includes(Id))
        throw new Error(`the process of ${service} is none of this machine`);
      process.kill(State.Pid, 'SIGKILL');
    },
    async readFile(path) {
      const text = await read(await ofService('init'), path);
      if (text === undefined) throw new Error(`the stack has no ${path}`);
      return text;
    },
    writeFile: async (path, text) => write(await ofService('init'), path, text, SERVICE),
    async server(instanceId) {
      const { Id, Labels } = await serverOf(instanceId);
      return {
        serverId: Labels['trove.server'] ?? '',
        volumeId: Labels['trove.volume'] ?? '',
        address: Labels['trove.address'] ?? '',
        port: Number(Labels['trove.port']),
        guestInfo: (await read(Id, `${ROOT}/files/etc/trove/conf.d/guest_info.conf`)) ?? '',
        rootMarker: (await read(Id, `${ROOT}/${MARKER}`)) !== undefined,
        volumeMarker: (await read(Id, `${VOLUME}/data/${MARKER}`)) !== undefined,
      };
    },
    async leaveMarkers(instanceId) {
      const { Id } = await serverOf(instanceId);
      await write(Id, `${ROOT}/${MARKER}`, 'outside the volume\n', GUEST);
      await write(Id, `${VOLUME}/data/${MARKER}`, 'inside the volume\n', GUEST);
    },
    removeInstances: (network) => removeInstances(engine, network),
  };
}

async function removeInstances(engine: Engine, network: string): Promise<void> {
  const filters = { network: [network], label: ['trove.kind'] };
  const containers = await engine.call((docker) => docker.listContainers({ all: true, filters }));
  const deployments = new Set(containers.map(({ Labels }) => Labels['trove.deployment'] ?? ''));
  for (const { Id } of containers)
    await engine.find((docker) => docker.getContainer(Id).remove({ force: true }), { timeoutMs: 60_000 });
  for (const deployment of deployments) {
    const label = [`trove.deployment=${deployment}`];
    const { Volumes } = await engine.call((docker) => docker.listVolumes({ filters: { label } }));
    for (const { Name } of Volumes) await engine.find((docker) => docker.getVolume(Name).remove());
  }
  await engine.find((docker) => docker.getNetwork(network).remove());
}
