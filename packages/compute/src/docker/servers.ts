import { TroveError } from '@trove/common';
import type { ContainerInfo } from 'dockerode';
import type { CreateServer, Flavor, InjectedFiles, RebuildServer } from '../driver.ts';
import { checkInjectedNames } from '../local/injected_files.ts';
import { filesOf } from './archive.ts';
import { agentArguments, containerOptions, dataEntry, PATHS, rootEntries, STOP_SECONDS } from './container_spec.ts';
import {
  listContainers,
  makeContainer,
  putEntries,
  removeContainer,
  startContainer,
  stopContainer,
} from './containers.ts';
import { type Engine, httpStatus, waitForOthers } from './engine.ts';
import { type GuestImage, inspectGuestImage } from './guest_image.ts';
import { idOn, names } from './ids.ts';
import type { ServerSpec } from './labels.ts';
import { ensureNetwork } from './network.ts';
import { freePlaces, ownsPlace } from './reservations.ts';
import { byServer, neverRan, type ServerContainers } from './server_view.ts';
import type { HostVolumes } from './volumes.ts';

/** How many other places are tried where others take them at the same time. */
const PLACES_AT_MOST = 50;
/** What an engine says at a start where somebody else's container or program has the address or the port. */
const TAKEN = /already (allocated|in use)/i;

/** A container that is to be a server's next one. */
interface Next {
  readonly spec: ServerSpec;
  readonly image: GuestImage;
  readonly args: readonly string[];
}

/** The servers of one host. */
export class HostServers {
  readonly #engine: Engine;
  readonly #volumes: HostVolumes;
  readonly #network: string;

  constructor(engine: Engine, volumes: HostVolumes, network: string) {
    this.#engine = engine;
    this.#volumes = volumes;
    this.#network = network;
  }

  async list(labels: Parameters<typeof listContainers>[1] = {}): Promise<readonly ServerContainers[]> {
    return byServer(await listContainers(this.#engine, { ...labels, kind: 'server' }));
  }

  async get(serverId: string): Promise<ServerContainers | undefined> {
    const [found] = await this.list({ server: serverId });
    return found;
  }

  async need(serverId: string): Promise<ServerContainers> {
    const found = await this.get(serverId);
    if (found === undefined) throw new TroveError('COMPUTE_ERROR', 'The server is not there.');
    return found;
  }

  async create(request: CreateServer, reference: string, signal: AbortSignal): Promise<ServerContainers> {
    checkInjectedNames(request.files);
    const id = idOn(this.#engine.host.name, 'server', request.clientToken);
    const image = await inspectGuestImage(this.#engine, reference, signal);
    if (request.volumeId !== null) await this.#needVolume(request.volumeId);
    const found = await this.get(id);
    if (found === undefined) await this.#createInFreePlace(id, request, image, signal);
    else if (neverRan(found.current))
      await this.#fillAndStart(found.current.Id, found.spec, image, request.files, signal);
    return this.need(id);
  }

  /** Root and files are new, all else is that of before. The old container goes when the new one is whole. */
  async rebuild(request: RebuildServer, reference: string, signal: AbortSignal): Promise<ServerContainers> {
    checkInjectedNames(request.files);
    const image = await inspectGuestImage(this.#engine, reference, signal);
    const found = await this.need(request.serverId);
    if (found.spec.generation === request.clientToken) {
      if (neverRan(found.current)) await this.start(request.serverId, signal);
      return this.need(request.serverId);
    }
    const spec = { ...found.spec, generation: request.clientToken, imageId: request.imageId, port: image.port };
    const next = await this.#makeNext(found, { spec, image, args: agentArguments(request.files) }, signal);
    await this.#fill(next, spec, image, request.files, signal);
    await this.#replace(found, next, signal);
    await this.#removeVolume(names.root(spec.id, found.spec.generation), signal);
    return this.need(request.serverId);
  }

  /** Other limits on the same root. An engine can change a container's limits, not its labels, so it is another container. */
  async resize(serverId: string, flavor: Flavor, signal: AbortSignal): Promise<ServerContainers> {
    const found = await this.need(serverId);
    const { current } = found;
    if (found.spec.flavor.id === flavor.id) {
      await this.#removeAll(found.others, signal);
      await this.start(serverId, signal);
      return this.need(serverId);
    }
    const spec = { ...found.spec, flavor };
    const inspected = await this.#engine.call((docker, abortSignal) =>
      docker.getContainer(current.Id).inspect({ abortSignal }),
    );
    const image = await inspectGuestImage(this.#engine, current.ImageID, signal);
    const next = await this.#makeNext(found, { spec, image, args: inspected.Config.Cmd ?? [] }, signal);
    await this.#replace(found, next, signal);
    return this.need(serverId);
  }

  /** A server that was stopped on purpose stays so, also when its engine starts anew. */
  async stop(serverId: string, signal: AbortSignal): Promise<void> {
    const { current } = await this.need(serverId);
    await this.#setRestart(current.Id, 'no', signal);
    await stopContainer(this.#engine, current.Id, STOP_SECONDS, signal);
  }

  async start(serverId: string, signal: AbortSignal): Promise<void> {
    const { current } = await this.need(serverId);
    if (neverRan(current) && !(await this.#isFilled(current.Id, signal)))
      throw new TroveError('COMPUTE_ERROR', 'The server is not whole.', { retryable: true });
    await this.#setRestart(current.Id, 'unless-stopped', signal);
    await startContainer(this.#engine, current.Id, signal);
  }

  /** Containers first: a root that is in use cannot go. */
  async remove(serverId: string, signal: AbortSignal): Promise<void> {
    await this.#removeAll(await listContainers(this.#engine, { kind: 'server', server: serverId }, signal), signal);
    for (const root of await this.#volumes.list({ kind: 'root', server: serverId }))
      await this.#removeVolume(root.Name, signal);
  }

  async injectedFiles(serverId: string): Promise<InjectedFiles> {
    const { current } = await this.need(serverId);
    const path = `${PATHS.root}/${PATHS.files}`;
    const tar = await this.#engine.call((docker, abortSignal) =>
      docker.getContainer(current.Id).getArchive({ path, abortSignal }),
    );
    const files = Object.entries(await filesOf(tar));
    return Object.fromEntries(files.map(([name, text]) => [name.slice(PATHS.files.length), text]));
  }

  /** Starts each server of the deployment that should run and does not: one that its engine could not bring back. */
  async bringBack(deploymentId: string, signal: AbortSignal): Promise<readonly string[]> {
    const started: string[] = [];
    for (const { current, spec } of await this.list({ deployment: deploymentId })) {
      if (current.State !== 'exited') continue;
      const { HostConfig } = await this.#engine.call((docker, abortSignal) =>
        docker.getContainer(current.Id).inspect({ abortSignal }),
      );
      if (HostConfig.RestartPolicy?.Name === 'no') continue;
      await startContainer(this.#engine, current.Id, signal);
      started.push(spec.instanceId);
    }
    return started;
  }

  async #createInFreePlace(id: string, request: CreateServer, image: GuestImage, signal: AbortSignal): Promise<void> {
    const network = await ensureNetwork(this.#engine, this.#network, signal);
    const containers = await listContainers(this.#engine, { kind: 'server' }, signal);
    let tries = 0;
    for (const place of freePlaces(network, id, containers, this.#engine)) {
      const spec: ServerSpec = {
        ...{ id, token: request.clientToken, generation: request.clientToken, ...place },
        deploymentId: request.deploymentId,
        instanceId: request.instanceId,
        projectId: request.projectId,
        imageId: request.imageId,
        flavor: request.flavor,
        volumeId: request.volumeId,
        port: image.port,
      };
      const made = await this.#make({ spec, image, args: agentArguments(request.files) }, signal);
      if (made === undefined) return this.#finishOthers(id, image, request.files, signal);
      if (await this.#startsIn(made, spec, image, request.files, signal)) return;
      tries += 1;
      if (tries === PLACES_AT_MOST)
        throw new TroveError('COMPUTE_ERROR', 'No address could be had.', { retryable: true });
    }
  }

  /** False where somebody else has the place: then the container is gone again. */
  async #startsIn(
    container: string,
    spec: ServerSpec,
    image: GuestImage,
    files: InjectedFiles,
    signal: AbortSignal,
  ): Promise<boolean> {
    try {
      if (await ownsPlace(this.#engine, container, signal)) {
        await this.#fillAndStart(container, spec, image, files, signal);
        return true;
      }
    } catch (error) {
      if (!isTaken(error)) throw error;
    }
    await removeContainer(this.#engine, container, signal);
    return false;
  }

  /** The same request, made by another process a moment ago. */
  async #finishOthers(id: string, image: GuestImage, files: InjectedFiles, signal: AbortSignal): Promise<void> {
    const found = await waitForOthers(() => this.get(id), signal);
    if (found === undefined) throw new TroveError('COMPUTE_ERROR', 'The server is being made.', { retryable: true });
    const { current, spec } = found;
    if (neverRan(current)) await this.#fillAndStart(current.Id, spec, image, files, signal);
  }

  /** The container that will take the current one's place; what else was about to is given up. */
  async #makeNext(found: ServerContainers, next: Next, signal: AbortSignal): Promise<string> {
    const { spec } = next;
    const name = `/${names.server(spec.id, spec.generation, spec.flavor.id)}`;
    await this.#removeAll(
      found.others.filter(({ Names }) => !Names.includes(name)),
      signal,
    );
    await ensureNetwork(this.#engine, this.#network, signal);
    return (await this.#make(next, signal)) ?? name.slice(1);
  }

  #make({ spec, image, args }: Next, signal: AbortSignal): Promise<string | undefined> {
    const { host } = this.#engine;
    const options = containerOptions({ spec, image, args, host, network: this.#network });
    return makeContainer(this.#engine, options, signal);
  }

  async #replace({ current }: ServerContainers, next: string, signal: AbortSignal): Promise<void> {
    await this.#setRestart(current.Id, 'no', signal);
    await stopContainer(this.#engine, current.Id, STOP_SECONDS, signal);
    await removeContainer(this.#engine, current.Id, signal);
    await startContainer(this.#engine, next, signal);
  }

  async #fillAndStart(
    container: string,
    spec: ServerSpec,
    image: GuestImage,
    files: InjectedFiles,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#fill(container, spec, image, files, signal);
    await startContainer(this.#engine, container, signal);
  }

  /** What the server knows of itself goes last: a root that has it is whole. */
  async #fill(
    container: string,
    spec: ServerSpec,
    image: GuestImage,
    files: InjectedFiles,
    signal: AbortSignal,
  ): Promise<void> {
    const { volumeId } = spec;
    const size = volumeId === null ? null : ((await this.#volumes.size(volumeId)) ?? null);
    if (volumeId !== null) await putEntries(this.#engine, container, PATHS.volume, [dataEntry(image)], signal);
    await putEntries(this.#engine, container, PATHS.root, rootEntries(spec, image, files, size), signal);
  }

  async #isFilled(container: string, signal: AbortSignal): Promise<boolean> {
    const path = `${PATHS.root}/${PATHS.serverFile}`;
    const found = await this.#engine.find(
      (docker, abortSignal) => docker.getContainer(container).infoArchive({ path, abortSignal }),
      { signal },
    );
    return found !== undefined;
  }

  async #needVolume(volumeId: string): Promise<void> {
    if ((await this.#volumes.size(volumeId)) === undefined)
      throw new TroveError('COMPUTE_ERROR', 'The volume is not there.');
  }

  async #setRestart(container: string, Name: string, signal: AbortSignal): Promise<void> {
    await this.#engine.call(
      (docker, abortSignal) => docker.getContainer(container).update({ RestartPolicy: { Name }, abortSignal }),
      { signal },
    );
  }

  async #removeAll(containers: readonly ContainerInfo[], signal: AbortSignal): Promise<void> {
    for (const { Id } of containers) await removeContainer(this.#engine, Id, signal);
  }

  async #removeVolume(name: string, signal: AbortSignal): Promise<void> {
    await this.#engine.find((docker, abortSignal) => docker.getVolume(name).remove({ abortSignal }), { signal });
  }
}

function isTaken(error: unknown): boolean {
  if (httpStatus(error) === undefined) return false;
  return error instanceof Error && error.cause instanceof Error && TAKEN.test(error.cause.message);
}
