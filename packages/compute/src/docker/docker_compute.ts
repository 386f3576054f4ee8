import { type Logger, type TlsFiles, TroveError } from '@trove/common';
import type {
  ComputeDriver,
  CreateServer,
  CreateVolume,
  Flavor,
  HostInfo,
  Image,
  InjectedFiles,
  OwnedThing,
  RebuildServer,
  Server,
} from '../driver.ts';
import { answersOf, firstOf } from './ask_hosts.ts';
import { dockerChoices } from './docker_choices.ts';
import { type DockerHostsConfig, dockerHosts } from './docker_hosts.ts';
import { type DockerImage, dockerImages } from './docker_images.ts';
import { type Engine, openEngines } from './engine.ts';
import { hostLoad } from './host_load.ts';
import { isOn } from './ids.ts';
import { ownedThings } from './owned_things.ts';
import { chooseHost } from './placement.ts';
import { toServer } from './server_view.ts';
import { HostServers } from './servers.ts';
import { HostVolumes } from './volumes.ts';

/** `[compute_docker]` */
export interface DockerComputeConfig extends DockerHostsConfig {
  readonly ca_file?: string | undefined;
  readonly cert_file?: string | undefined;
  readonly key_file?: string | undefined;
  readonly network: string;
  readonly flavors_file: string;
  readonly image: Readonly<Record<string, string>>;
}

interface Host {
  readonly engine: Engine;
  readonly servers: HostServers;
  readonly volumes: HostVolumes;
}

/** A driver on the engines that the configuration names; none is asked yet. `CONFIG_INVALID` names what is wrong with it. */
export async function openDockerCompute(config: DockerComputeConfig): Promise<DockerCompute> {
  const files: TlsFiles = { ca: config.ca_file, cert: config.cert_file, key: config.key_file };
  const images = dockerImages(config.image);
  return new DockerCompute(await openEngines(dockerHosts(config), files), images, config);
}

/** Servers as containers of one or more Docker engines. It keeps nothing: what there is stands on the engines, in labels. */
export class DockerCompute implements ComputeDriver {
  readonly name = 'docker';
  readonly canSnapshot = true;
  readonly #hosts: readonly Host[];
  readonly #images: readonly DockerImage[];
  readonly #choices: Pick<ComputeDriver, 'flavors' | 'images'>;

  constructor(
    engines: readonly Engine[],
    images: readonly DockerImage[],
    config: Pick<DockerComputeConfig, 'network' | 'flavors_file' | 'image'>,
  ) {
    this.#images = images;
    this.#choices = dockerChoices({ flavorsFile: config.flavors_file, images: config.image });
    this.#hosts = engines.map((engine) => {
      const volumes = new HostVolumes(engine);
      return { engine, volumes, servers: new HostServers(engine, volumes, config.network) };
    });
  }

  /** Asks each engine whether it answers, and says in the log why one does not: TLS, the socket's group, nobody there. */
  async check(logger: Logger): Promise<void> {
    for (const { engine } of this.#hosts) {
      try {
        await engine.call((docker) => docker.ping());
      } catch (error) {
        logger.error('a docker engine cannot be used', { host: engine.host.name, error });
      }
    }
  }

  /** Starts the servers of a deployment that should run and that their engines did not bring back. */
  async bringBack(deploymentId: string, logger: Logger): Promise<void> {
    const signal = new AbortController().signal;
    for (const { engine, servers } of this.#hosts) {
      try {
        const instances = await servers.bringBack(deploymentId, signal);
        if (instances.length > 0) logger.warn('servers were started again', { host: engine.host.name, instances });
      } catch (error) {
        logger.error('servers could not be brought back', { host: engine.host.name, error });
      }
    }
  }

  flavors(): Promise<readonly Flavor[]> {
    return this.#choices.flavors();
  }

  images(): Promise<readonly Image[]> {
    return this.#choices.images();
  }

  /** Those that answer. */
  async hosts(): Promise<readonly HostInfo[]> {
    const loads = await answersOf(this.#hosts, ({ engine, volumes }) => hostLoad(engine, volumes));
    return loads.map(({ name, servers, ram, usedRam }) => ({ name, servers, totalRam: ram, usedRam }));
  }

  async createVolume(request: CreateVolume, signal: AbortSignal): Promise<{ volumeId: string }> {
    signal.throwIfAborted();
    // Where an earlier try has chosen, that host alone may have made it, and has to say so; else whichever answers.
    const chosen = request.volumeId !== undefined && this.#on(request.volumeId) !== undefined;
    const found = await this.#findVolume(request, { allMustAnswer: chosen });
    if (found !== undefined) return { volumeId: found };
    const host = await this.#place(request.server, request.clientToken);
    // Another process with this token may have filled the host that it chose: then ours would be another one.
    const meanwhile = await this.#findVolume({ clientToken: request.clientToken }, { allMustAnswer: false });
    if (meanwhile !== undefined) return { volumeId: meanwhile };
    await request.onChosen?.(host.volumes.idOf(request.clientToken));
    signal.throwIfAborted();
    return { volumeId: await host.volumes.create(request, signal) };
  }

  async findVolume(clientToken: string, chosen?: string): Promise<{ volumeId: string } | undefined> {
    const volumeId = await this.#findVolume({ clientToken, volumeId: chosen }, { allMustAnswer: true });
    return volumeId === undefined ? undefined : { volumeId };
  }

  async deleteVolume(volumeId: string, signal: AbortSignal): Promise<void> {
    await this.#on(volumeId)?.volumes.remove(volumeId, signal);
  }

  /** GB as it is now. */
  async volumeSize(volumeId: string): Promise<number | undefined> {
    return this.#on(volumeId)?.volumes.size(volumeId);
  }

  /** Only grows; this large or larger is success. */
  async extendVolume(volumeId: string, size: number, signal: AbortSignal): Promise<void> {
    await this.#need(volumeId, 'volume').volumes.extend(volumeId, size, signal);
  }

  async snapshotVolume(volumeId: string, clientToken: string, signal: AbortSignal): Promise<{ snapshotId: string }> {
    const snapshotId = await this.#need(volumeId, 'volume').volumes.snapshot(volumeId, clientToken, signal);
    return { snapshotId };
  }

  /** The whole snapshot that this token made. */
  async findSnapshot(clientToken: string, volumeId?: string): Promise<{ snapshotId: string } | undefined> {
    const found = await this.#beside(volumeId, ({ volumes }) => volumes.snapshots.find(clientToken));
    return found === undefined ? undefined : { snapshotId: found };
  }

  async restoreVolume(volumeId: string, snapshotId: string, signal: AbortSignal): Promise<void> {
    await this.#need(volumeId, 'volume').volumes.snapshots.restore(volumeId, snapshotId, signal);
  }

  async deleteSnapshot(snapshotId: string, signal: AbortSignal): Promise<void> {
    await this.#on(snapshotId)?.volumes.snapshots.remove(snapshotId, signal);
  }

  async createServer(request: CreateServer, signal: AbortSignal): Promise<Server> {
    signal.throwIfAborted();
    const { reference } = this.#image(request.imageId);
    await this.#checkFlavor(request.flavor);
    const host = await this.#hostFor(request);
    return toServer(await host.servers.create(request, reference, signal), host.engine.host);
  }

  async findServers(clientToken: string, volumeId?: string): Promise<readonly Server[]> {
    const look = async ({ engine, servers }: Host): Promise<readonly Server[] | undefined> => {
      const here = await servers.list({ token: clientToken });
      return here.length === 0 ? undefined : here.map((server) => toServer(server, engine.host));
    };
    return (await this.#beside(volumeId, look)) ?? [];
  }

  async getServer(serverId: string): Promise<Server | undefined> {
    const host = this.#on(serverId);
    const found = await host?.servers.get(serverId);
    return host === undefined || found === undefined ? undefined : toServer(found, host.engine.host);
  }

  async stopServer(serverId: string, signal: AbortSignal): Promise<void> {
    await this.#need(serverId, 'server').servers.stop(serverId, signal);
  }

  async startServer(serverId: string, signal: AbortSignal): Promise<void> {
    await this.#need(serverId, 'server').servers.start(serverId, signal);
  }

  async rebuildServer(request: RebuildServer, signal: AbortSignal): Promise<Server> {
    const { reference } = this.#image(request.imageId);
    const { engine, servers } = this.#need(request.serverId, 'server');
    return toServer(await servers.rebuild(request, reference, signal), engine.host);
  }

  /** Stops in order, then starts with the flavor's limits; root, files, volume, address, id and generation stay. */
  async resizeServer(
    request: { readonly serverId: string; readonly flavor: Flavor },
    signal: AbortSignal,
  ): Promise<Server> {
    await this.#checkFlavor(request.flavor);
    const host = this.#need(request.serverId, 'server');
    await this.#checkRoom(host, request);
    return toServer(await host.servers.resize(request.serverId, request.flavor, signal), host.engine.host);
  }

  async deleteServer(serverId: string, signal: AbortSignal): Promise<void> {
    await this.#on(serverId)?.servers.remove(serverId, signal);
  }

  /** Everything of this deployment on the engines; what carries another id is left out. One that does not answer is an error. */
  async listOwned(deploymentId: string, instanceId?: string): Promise<readonly OwnedThing[]> {
    const of = { deployment: deploymentId, ...(instanceId !== undefined && { instance: instanceId }) };
    const things = this.#hosts.map(({ engine, volumes }) => ownedThings(engine, volumes, of));
    return (await Promise.all(things)).flat();
  }

  async injectedFiles(serverId: string): Promise<InjectedFiles> {
    return this.#need(serverId, 'server').servers.injectedFiles(serverId);
  }

  /** Where the volume is; a server without one goes where there is room. */
  async #hostFor(request: CreateServer): Promise<Host> {
    if (request.volumeId !== null) return this.#need(request.volumeId, 'volume');
    const made = await firstOf(
      this.#hosts,
      async (host) => ((await host.servers.list({ token: request.clientToken })).length === 0 ? undefined : host),
      { allMustAnswer: false },
    );
    return made ?? this.#place({ ...request }, request.clientToken);
  }

  async #place(server: CreateVolume['server'], token: string): Promise<Host> {
    const loads = await answersOf(this.#hosts, ({ engine, volumes }) => hostLoad(engine, volumes));
    const chosen = chooseHost(loads, { zone: server?.availabilityZone, flavor: server?.flavor, token });
    const host = this.#hosts.find(({ engine }) => engine.host.name === chosen);
    if (host === undefined) throw new TroveError('INTERNAL', 'A host was chosen that there is not.');
    return host;
  }

  async #checkRoom(
    { engine, volumes, servers }: Host,
    { serverId, flavor }: { serverId: string; flavor: Flavor },
  ): Promise<void> {
    const present = (await servers.need(serverId)).spec.flavor;
    const load = await hostLoad(engine, volumes);
    const grown = { ...flavor, ram: Math.max(0, flavor.ram - present.ram) };
    chooseHost([load], { zone: undefined, flavor: grown, token: serverId });
  }

  #findVolume(
    { clientToken, volumeId }: Pick<CreateVolume, 'clientToken' | 'volumeId'>,
    options: { allMustAnswer: boolean },
  ): Promise<string | undefined> {
    return this.#beside(volumeId, ({ volumes }) => volumes.find(clientToken), options);
  }

  #image(imageId: string): DockerImage {
    const image = this.#images.find(({ id }) => id === imageId);
    if (image === undefined) throw new TroveError('IMAGE_NOT_FOUND', 'The image is not known to this compute driver.');
    return image;
  }

  async #checkFlavor({ id }: Flavor): Promise<void> {
    if (!(await this.flavors()).some((flavor) => flavor.id === id))
      throw new TroveError('FLAVOR_NOT_FOUND', 'The flavor is not known to this compute driver.');
  }

  /** The host that an id names; undefined where it is none of ours. */
  #on(id: string): Host | undefined {
    return this.#hosts.find(({ engine }) => isOn(engine.host.name, id));
  }

  #need(id: string, what: 'server' | 'volume'): Host {
    const host = this.#on(id);
    if (host === undefined) throw new TroveError('COMPUTE_ERROR', `The ${what} is not there.`);
    return host;
  }

  /** What the volume's host has, or, where that is not known, the first of all. */
  #beside<T>(
    volumeId: string | undefined,
    look: (host: Host) => Promise<T | undefined>,
    options = { allMustAnswer: true },
  ): Promise<T | undefined> {
    const host = volumeId === undefined ? undefined : this.#on(volumeId);
    return host === undefined ? firstOf(this.#hosts, look, options) : look(host);
  }
}
