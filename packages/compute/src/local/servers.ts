import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { TroveError, uuidV5, writeFileDurably } from '@trove/common';
import type { CreateServer, Flavor, InjectedFiles, RebuildServer } from '../driver.ts';
import { type Account, makeGuestFolder } from './account.ts';
import type { Addresses } from './addresses.ts';
import { type Agents, SERVER_FILE } from './agents.ts';
import type { LocalImage } from './images.ts';
import { checkInjectedNames, writeInjectedFiles } from './injected_files.ts';
import type { Layout } from './layout.ts';
import { readRecord, type ServerRecord, writeRecord } from './server_record.ts';
import { removeIfEmpty, type Storage } from './storage.ts';

const NAMESPACE = '6a7c9e55-8c42-5a0b-9a53-0b5d2f7f3e03';

export interface ServersDeps {
  readonly layout: Layout;
  readonly host: string;
  readonly account: Account | undefined;
  readonly addresses: Addresses;
  readonly agents: Agents;
  readonly storage: Storage;
}

/**
 * Making and unmaking of servers, each step such that the same request coming again ends what was interrupted. Callers
 * hold the server's lock.
 */
export class Servers {
  readonly #deps: ServersDeps;

  constructor(deps: ServersDeps) {
    this.#deps = deps;
  }

  async create(request: CreateServer, image: LocalImage, signal: AbortSignal): Promise<ServerRecord> {
    const { layout, storage, addresses, agents } = this.#deps;
    checkInjectedNames(request.files);
    const existing = readRecord(layout, request.instanceId);
    if (existing !== undefined && existing.client_token !== request.clientToken) {
      throw new TroveError('COMPUTE_ERROR', 'The instance has another server.');
    }
    if (existing !== undefined && existing.state !== 'building') {
      if (existing.state === 'running') await agents.ensureStarted(existing);
      return existing;
    }
    if (request.volumeId !== null) storage.volumeFolder(request.instanceId, request.volumeId);
    mkdirSync(layout.instanceDir(request.instanceId), { recursive: true, mode: 0o755 });
    const building = writeRecord(layout, this.#newRecord(request, image));
    const { address, port } = await addresses.take(building.id, image.port);
    signal.throwIfAborted();
    return this.#fill({ ...building, address, port }, request.files);
  }

  async rebuild(record: ServerRecord, request: RebuildServer, image: LocalImage): Promise<ServerRecord> {
    const { layout, agents } = this.#deps;
    checkInjectedNames(request.files);
    if (record.generation === request.clientToken && record.state !== 'rebuilding') {
      if (record.state === 'running') await agents.ensureStarted(record);
      return record;
    }
    const rebuilding = writeRecord(layout, { ...record, state: 'rebuilding', image });
    await agents.stop(rebuilding);
    rmSync(layout.rootDir(record.instance_id), { recursive: true, force: true });
    return this.#fill({ ...rebuilding, generation: request.clientToken }, request.files);
  }

  /** What was stopped for it is started by a repeat: the record says `running` all the while. */
  async resize(record: ServerRecord, flavor: Flavor): Promise<ServerRecord> {
    const { layout, agents } = this.#deps;
    if (record.state === 'building' || record.state === 'rebuilding') {
      throw new TroveError('COMPUTE_ERROR', 'The server is not whole.', { retryable: true });
    }
    const changes = record.flavor.id !== flavor.id;
    if (changes) await agents.stop(record);
    const resized = changes || record.state !== 'running' ? { ...record, flavor, state: 'running' as const } : record;
    if (resized !== record) writeRecord(layout, resized);
    await agents.ensureStarted(resized);
    return resized;
  }

  /** Says in the server's own facts how large its volume is now. */
  tellSize(record: ServerRecord): void {
    if (record.state === 'running' || record.state === 'stopped') this.#writeServerFile(record);
  }

  /** The record goes after everything that it leads to, so that a repeat finds what is left. */
  async remove(record: ServerRecord): Promise<void> {
    const { layout, agents, addresses } = this.#deps;
    const instanceId = record.instance_id;
    await agents.stop(writeRecord(layout, { ...record, state: 'stopped' }));
    for (const path of [layout.rootDir(instanceId), layout.filesDir(instanceId), layout.agentLog(instanceId)]) {
      rmSync(path, { recursive: true, force: true });
    }
    addresses.release(record.id);
    rmSync(layout.recordFile(instanceId), { force: true });
    removeIfEmpty(layout.instanceDir(instanceId));
  }

  /** A new root and these files, then the agent. */
  async #fill(record: ServerRecord, files: InjectedFiles): Promise<ServerRecord> {
    const { layout, account, agents } = this.#deps;
    writeInjectedFiles(layout.filesDir(record.instance_id), files, account);
    this.#writeServerFile(record);
    const running = writeRecord(layout, { ...record, state: 'running' });
    await agents.ensureStarted(running);
    return running;
  }

  /** What a real server would find out about itself; the agent has nothing else to go by. */
  #writeServerFile(record: ServerRecord): void {
    const { layout, account, storage } = this.#deps;
    const root = layout.rootDir(record.instance_id);
    for (const folder of [root, join(root, 'etc'), join(root, 'etc/trove')]) makeGuestFolder(folder, account);
    const volume =
      record.volume_id === null ? join(root, 'data') : storage.volumeFolder(record.instance_id, record.volume_id);
    const facts = {
      address: record.address,
      port: record.port,
      volume_dir: volume,
      volume_size: record.volume_id === null ? null : storage.volumeSize(record.instance_id, record.volume_id),
      root_dir: root,
      bin_dir: record.image.binDir,
      manager: record.image.manager,
      version: record.image.version,
      account: account === undefined ? null : { uid: account.uid, gid: account.gid },
    };
    writeFileDurably(
      join(root, SERVER_FILE),
      `${JSON.stringify(facts, null, 2)}\n`,
      account === undefined ? {} : { owner: account },
    );
  }

  #newRecord(request: CreateServer, image: LocalImage): ServerRecord {
    return {
      id: uuidV5(NAMESPACE, request.clientToken),
      client_token: request.clientToken,
      deployment_id: request.deploymentId,
      instance_id: request.instanceId,
      project_id: request.projectId,
      name: request.name,
      host: this.#deps.host,
      state: 'building',
      generation: request.clientToken,
      image,
      flavor: request.flavor,
      volume_id: request.volumeId,
      address: null,
      port: null,
    };
  }
}
