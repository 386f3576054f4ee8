import type { Flavor, Server, ServerAddress, ServerStatus } from '../driver.ts';
import type { LocalImage } from './images.ts';
import { readJson, writeJson } from './json_file.ts';
import type { Layout } from './layout.ts';

/**
 * What the driver keeps of a server. `state` is what was asked for last and how far it came: `building` and `rebuilding`
 * are ended by the same request coming again.
 */
export interface ServerRecord {
  readonly id: string;
  readonly client_token: string;
  readonly deployment_id: string;
  readonly instance_id: string;
  readonly project_id: string;
  readonly name: string;
  readonly host: string;
  readonly state: 'building' | 'rebuilding' | 'running' | 'stopped';
  readonly generation: string;
  readonly image: LocalImage;
  readonly flavor: Flavor;
  readonly volume_id: string | null;
  readonly address: string | null;
  readonly port: number | null;
}

export function readRecord(layout: Layout, instanceId: string): ServerRecord | undefined {
  return readJson<ServerRecord>(layout.recordFile(instanceId));
}

export function writeRecord(layout: Layout, record: ServerRecord): ServerRecord {
  writeJson(layout.recordFile(record.instance_id), record);
  return record;
}

/** The server as the driver's interface shows it; `alive`: one of its processes runs. */
export function toServer(record: ServerRecord, alive: boolean): Server {
  return {
    id: record.id,
    clientToken: record.client_token,
    status: statusOf(record, alive),
    host: record.host,
    imageId: record.image.id,
    flavorId: record.flavor.id,
    volumeId: record.volume_id,
    addresses: addressesOf(record),
    generation: record.generation,
  };
}

function statusOf(record: ServerRecord, alive: boolean): ServerStatus {
  if (record.state === 'building' || record.state === 'rebuilding') return 'BUILD';
  return alive ? 'ACTIVE' : 'SHUTDOWN';
}

function addressesOf(record: ServerRecord): ServerAddress[] {
  if (record.address === null || record.port === null) return [];
  const own = record.port === record.image.port ? {} : { port: record.port };
  return [{ address: record.address, type: 'private', ...own }];
}
