import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Logger, TroveError } from '@trove/common';
import type {
  ComputeDriver,
  CreateServer,
  CreateVolume,
  Flavor,
  Image,
  InjectedFiles,
  OwnedThing,
  RebuildServer,
  ResizeServer,
  Server,
} from '../driver.ts';
import type { Account } from './account.ts';
import { Addresses } from './addresses.ts';
import type { AgentRunner } from './agent_runner.ts';
import { Agents } from './agents.ts';
import { keepFlavorsFile, readFlavors } from './flavors.ts';
import { type InstallationSource, type LocalImage, listLocalImages } from './images.ts';
import { readInjectedFiles } from './injected_files.ts';
import { Layout } from './layout.ts';
import { ownedThings } from './owned_things.ts';
import { ServerLocks } from './server_lock.ts';
import { readRecord, type ServerRecord, toServer, writeRecord } from './server_record.ts';
import { Servers } from './servers.ts';
import { Storage } from './storage.ts';
import { Supervisor } from './supervisor.ts';

export interface LocalComputeOptions {
  /** `[compute_local] root`; made where it is missing. */
  readonly root: string;
  /** `[compute_local] network`, such as `127.64.0.0/16`. */
  readonly network: string;
  /** `[compute_local] flavors_file`; default `<root>/flavors.json`. */
  readonly flavorsFile?: string | undefined;
  /** `[compute_local] image.<uuid> = folder`. */
  readonly namedImages?: Readonly<Record<string, string>>;
  /** The name of this host: `[DEFAULT] host`, or the machine's where that is 0.0.0.0. */
  readonly host: string;
  readonly installations: InstallationSource;
  /** From `houseGuests`, as is `root`: whom guests run as while we are root. */
  readonly account: Account | undefined;
  /** From `houseGuests`; default: every path as it is. */
  readonly reachable?: (path: string) => string;
  readonly runner: AgentRunner;
  readonly logger: Logger;
  /** Milliseconds before a dead agent is started again, doubled at each failure; default 5000. */
  readonly restartMs?: number;
}

const ADOPT_AT_A_TIME = 4;

/** Servers as folders and processes of this machine. */
export class LocalCompute implements ComputeDriver {
  readonly name = 'local';
  readonly canSnapshot = true;
  readonly #options: LocalComputeOptions;
  readonly #layout: Layout;
  readonly #flavorsFile: string;
  readonly #addresses: Addresses;
  readonly #agents: Agents;
  readonly #storage: Storage;
  readonly #servers: Servers;
  readonly #locks: ServerLocks;
  readonly #supervisor: Supervisor;
  /** Changes to servers that are under way, also those that nobody waits for any more. */
  readonly #changes = new Set<Promise<unknown>>();
  #closing = false;
  #images: Promise<readonly LocalImage[]> | undefined;

  constructor(options: LocalComputeOptions) {
    this.#options = options;
    mkdirSync(options.root, { recursive: true, mode: 0o755 });
    const layout = new Layout(options.root);
    this.#layout = layout;
    this.#flavorsFile = options.flavorsFile ?? join(options.root, 'flavors.json');
    keepFlavorsFile(this.#flavorsFile);
    this.#addresses = new Addresses(layout.addressesDir, options.network);
    this.#locks = new ServerLocks(layout.locksDir);
    this.#agents = new Agents(layout, options.account, options.runner);
    this.#storage = new Storage(layout, options.account);
    const { host, account } = options;
    this.#servers = new Servers({
      layout,
      host,
      account,
      addresses: this.#addresses,
      agents: this.#agents,
      storage: this.#storage,
    });
    this.#supervisor = new Supervisor({
      running: () => this.#ownRecords().filter((record) => record.state === 'running'),
      reread: (record) => readRecord(layout, record.instance_id),
      agents: this.#agents,
      locks: this.#locks,
      logger: options.logger,
      restartMs: options.restartMs ?? 5000,
    });
  }

  /** Starts every server of this host that should run, or takes it over where it does; then watches over them. */
  async adoptAll(): Promise<void> {
    const waiting = this.#ownRecords().filter((record) => record.state === 'running');
    const never = new AbortController().signal;
    const worker = async (): Promise<void> => {
      for (let record = waiting.shift(); record !== undefined; record = waiting.shift())
        await this.#adopt(record, never);
    };
    await Promise.all(Array.from({ length: ADOPT_AT_A_TIME }, worker));
    this.#supervisor.start();
  }

  /**
   * Watches no longer, and begins nothing. With `stopServers` what is being changed is ended, then the agents and databases
   * of this host are stopped, those of a server that was just being made too, and the next `adoptAll` starts them again;
   * without, those that are processes of their own go on.
   */
  async close(options: { readonly stopServers: boolean }): Promise<void> {
    this.#closing = true;
    await this.#supervisor.close();
    await this.#storage.close();
    if (!options.stopServers) return;
    await Promise.allSettled(this.#changes);
    const signal = new AbortController().signal;
    await Promise.all(
      this.#ownRecords().map((record) => this.#locks.run(record.instance_id, signal, () => this.#agents.stop(record))),
    );
  }

  flavors(): Promise<readonly Flavor[]> {
    return Promise.resolve().then(() => readFlavors(this.#flavorsFile));
  }

  async images(): Promise<readonly Image[]> {
    return (await this.#localImages()).map(({ id, name, manager, version }) => ({ id, name, manager, version }));
  }

  /** The managers whose next servers get a port of 127.0.0.1 instead of their standard port on an address of their own. */
  async managersOnLoopbackPorts(): Promise<readonly string[]> {
    const ports = new Map((await this.#localImages()).map(({ manager, port }) => [manager, port]));
    const free = await Promise.all([...ports.values()].map((port) => this.#addresses.isFree(port)));
    return [...ports.keys()].filter((_manager, index) => !free[index]);
  }

  hosts(): Promise<readonly { name: string; servers: number }[]> {
    return Promise.resolve([{ name: this.#options.host, servers: this.#ownRecords().length }]);
  }

  async createVolume(request: CreateVolume, signal: AbortSignal): Promise<{ volumeId: string }> {
    signal.throwIfAborted();
    return this.#storage.createVolume(request);
  }

  async findVolume(clientToken: string): Promise<{ volumeId: string } | undefined> {
    return this.#storage.findVolume(clientToken);
  }

  async extendVolume(volumeId: string, size: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const instanceId = this.#storage.extendVolume(volumeId, size);
    await this.#locks.run(instanceId, signal, async () => {
      const record = readRecord(this.#layout, instanceId);
      if (record?.volume_id === volumeId) this.#servers.tellSize(record);
    });
  }

  async volumeSize(volumeId: string): Promise<number | undefined> {
    return this.#storage.sizeOf(volumeId);
  }

  async deleteVolume(volumeId: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#storage.deleteVolume(volumeId);
  }

  snapshotVolume(volumeId: string, clientToken: string, signal: AbortSignal): Promise<{ snapshotId: string }> {
    return this.#storage.snapshotVolume(volumeId, clientToken, signal);
  }

  /** Refused under a server that runs: one whom nobody waits for any more may come with an old snapshot. */
  restoreVolume(volumeId: string, snapshotId: string, signal: AbortSignal): Promise<void> {
    return this.#storage.restoreVolume(volumeId, snapshotId, signal, (instanceId, swap) =>
      this.#locks.run(instanceId, signal, async () => {
        const record = readRecord(this.#layout, instanceId);
        if (record?.volume_id === volumeId && this.#agents.serverAlive(record))
          throw new TroveError('COMPUTE_ERROR', 'The volume is in use.');
        swap();
      }),
    );
  }

  async findSnapshot(clientToken: string): Promise<{ snapshotId: string } | undefined> {
    return this.#storage.findSnapshot(clientToken);
  }

  async deleteSnapshot(snapshotId: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#storage.deleteSnapshot(snapshotId);
  }

  async createServer(request: CreateServer, signal: AbortSignal): Promise<Server> {
    const image = await this.#image(request.imageId);
    await this.#checkFlavor(request.flavor);
    const record = await this.#change(request.instanceId, signal, () => this.#servers.create(request, image, signal));
    return this.#shown(record);
  }

  async findServers(clientToken: string): Promise<readonly Server[]> {
    return this.#records()
      .filter((record) => record.client_token === clientToken)
      .map((record) => this.#shown(record));
  }

  async getServer(serverId: string): Promise<Server | undefined> {
    const record = this.#find(serverId);
    return record === undefined ? undefined : this.#shown(record);
  }

  async stopServer(serverId: string, signal: AbortSignal): Promise<void> {
    await this.#underLock(serverId, signal, async (record) => {
      const stopped = record.state === 'running' ? writeRecord(this.#layout, { ...record, state: 'stopped' }) : record;
      await this.#agents.stop(stopped);
    });
  }

  async startServer(serverId: string, signal: AbortSignal): Promise<void> {
    await this.#underLock(serverId, signal, async (record) => {
      if (record.state === 'building' || record.state === 'rebuilding') {
        throw new TroveError('COMPUTE_ERROR', 'The server is not whole.', { retryable: true });
      }
      await this.#storage.endSnapshots(record.instance_id);
      await this.#agents.ensureStarted(writeRecord(this.#layout, { ...record, state: 'running' }));
    });
  }

  async rebuildServer(request: RebuildServer, signal: AbortSignal): Promise<Server> {
    const image = await this.#image(request.imageId);
    const record = await this.#underLock(request.serverId, signal, (found) =>
      this.#servers.rebuild(found, request, image),
    );
    return this.#shown(record);
  }

  async resizeServer({ serverId, flavor }: ResizeServer, signal: AbortSignal): Promise<Server> {
    await this.#checkFlavor(flavor);
    return this.#shown(await this.#underLock(serverId, signal, (record) => this.#servers.resize(record, flavor)));
  }

  async deleteServer(serverId: string, signal: AbortSignal): Promise<void> {
    const found = this.#find(serverId);
    if (found === undefined) return;
    await this.#change(found.instance_id, signal, async () => {
      const record = this.#find(serverId);
      if (record !== undefined) await this.#servers.remove(record);
    });
  }

  async injectedFiles(serverId: string): Promise<InjectedFiles> {
    return readInjectedFiles(this.#layout.filesDir(this.#need(serverId).instance_id));
  }

  async listOwned(deploymentId: string, instanceId?: string): Promise<readonly OwnedThing[]> {
    return ownedThings(this.#layout, instanceId).filter((thing) => thing.deploymentId === deploymentId);
  }

  /** Where a server's parts lie on this machine; for the operator, the demo and tests. */
  paths(serverId: string): { readonly files: string; readonly root: string; readonly volume: string | null } {
    const record = this.#need(serverId);
    const volume = record.volume_id === null ? null : this.#layout.volumeDir(record.instance_id, record.volume_id);
    return { files: this.#layout.filesDir(record.instance_id), root: this.#layout.rootDir(record.instance_id), volume };
  }

  async #adopt(record: ServerRecord, signal: AbortSignal): Promise<void> {
    try {
      await this.#locks.run(record.instance_id, signal, async () => {
        const fresh = readRecord(this.#layout, record.instance_id);
        if (fresh?.state === 'running') await this.#agents.ensureStarted(fresh);
      });
    } catch (error) {
      this.#options.logger.error('agent did not start', { instance_id: record.instance_id, error });
    }
  }

  async #underLock<T>(serverId: string, signal: AbortSignal, work: (record: ServerRecord) => Promise<T>): Promise<T> {
    const { instance_id } = this.#need(serverId);
    return this.#change(instance_id, signal, () => work(this.#need(serverId)));
  }

  async #change<T>(instanceId: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const change = this.#locks.run(instanceId, signal, () => {
      if (this.#closing) throw new TroveError('COMPUTE_ERROR', 'This host is being shut down.', { retryable: true });
      return work();
    });
    this.#changes.add(change);
    try {
      return await change;
    } finally {
      this.#changes.delete(change);
    }
  }

  #shown(record: ServerRecord): Server {
    return toServer(record, this.#agents.serverAlive(record));
  }

  #need(serverId: string): ServerRecord {
    const record = this.#find(serverId);
    if (record === undefined) throw new TroveError('COMPUTE_ERROR', 'The server is not there.');
    return record;
  }

  #find(serverId: string): ServerRecord | undefined {
    return this.#records().find((record) => record.id === serverId);
  }

  #records(): readonly ServerRecord[] {
    return this.#layout
      .instanceIds()
      .map((instanceId) => readRecord(this.#layout, instanceId))
      .filter((record) => record !== undefined);
  }

  #ownRecords(): readonly ServerRecord[] {
    return this.#records().filter((record) => record.host === this.#options.host);
  }

  async #checkFlavor({ id }: Flavor): Promise<void> {
    if ((await this.flavors()).some((flavor) => flavor.id === id)) return;
    throw new TroveError('FLAVOR_NOT_FOUND', 'The flavor is not known to this compute driver.');
  }

  async #image(imageId: string): Promise<LocalImage> {
    const image = (await this.#localImages()).find((candidate) => candidate.id === imageId);
    if (image === undefined) throw new TroveError('IMAGE_NOT_FOUND', 'The image is not known to this compute driver.');
    return image;
  }

  /** Looked for once per start: what is installed later counts from the next one. */
  #localImages(): Promise<readonly LocalImage[]> {
    this.#images ??= listLocalImages(
      this.#options.installations,
      this.#options.namedImages ?? {},
      this.#options.reachable ?? ((path) => path),
    ).catch((error: unknown) => {
      this.#images = undefined;
      throw error;
    });
    return this.#images;
  }
}
