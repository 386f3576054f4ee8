import type { InstanceReading } from '@trove/catalog';
import type { ServerAddress } from '@trove/compute';
import { type InstanceDetail, type InstanceSummary } from '@trove/contracts';
import { isAdmin } from '@trove/identity';
import type { FastifyRequest } from 'fastify';
import { linksOf } from '../links.ts';
import { callerOfRequest } from '../plugins/authentication.ts';
import { instanceStatus, operatingStatus } from '../status.ts';
import { troveTime } from './time.ts';

/** What a view of instances depends on beside the row. */
export interface InstanceViewSettings {
  readonly heartbeatExpirySeconds: number;
}

/** Statuses in which the volume is changing, or nobody is there who could have measured it. */
const UNMEASURED = new Set(['BUILD', 'REBOOT', 'RESIZE', 'PROMOTE', 'EJECT', 'UPGRADE', 'SHUTDOWN']);

/** An item of the list. */
export function instanceSummary(
  request: FastifyRequest,
  row: InstanceReading,
  settings: InstanceViewSettings,
): InstanceSummary {
  const addresses = addressesOf(row);
  return {
    id: row.id,
    name: row.name ?? '',
    status: instanceStatus(row, settings.heartbeatExpirySeconds),
    operating_status: operatingStatus(row, settings.heartbeatExpirySeconds),
    links: linksOf(request, 'instances', row.id),
    flavor: { id: row.flavor_id ?? '', links: linksOf(request, 'flavors', row.flavor_id ?? '') },
    datastore: { type: row.datastore_name, version: row.version_name },
    region: row.region_id,
    access: accessOf(row, addresses),
    volume: { size: row.volume_size ?? 0 },
    ...(addresses.length > 0 && { ip: addresses.map(({ address }) => address), addresses: [...addresses] }),
    ...(row.slave_of_id !== null && { replica_of: reference(request, row.slave_of_id) }),
    ...(row.replica_ids.length > 0 && { replicas: row.replica_ids.map((id) => reference(request, id)) }),
    ...(isAdmin(callerOfRequest(request)) && { tenant_id: row.tenant_id ?? '' }),
  };
}

/** An item of the detailed list, and what the answer to a create holds. */
export function instanceDetail(
  request: FastifyRequest,
  row: InstanceReading,
  settings: InstanceViewSettings,
): InstanceDetail {
  const summary = instanceSummary(request, row, settings);
  return {
    ...summary,
    created: troveTime(row.created),
    updated: troveTime(row.updated),
    ...(row.service_updated_at !== null && { service_status_updated: troveTime(row.service_updated_at) ?? '' }),
    datastore: { ...summary.datastore, version_number: row.version_number ?? row.version_name },
    ...faultOf(request, row),
    ...(row.configuration_id !== null && {
      configuration: {
        id: row.configuration_id,
        name: row.configuration_name ?? '',
        links: linksOf(request, 'configurations', row.configuration_id),
      },
    }),
    ...(row.cluster_id !== null && { cluster_id: row.cluster_id }),
    ...(row.shard_id !== null && { shard_id: row.shard_id }),
    ...(isAdmin(callerOfRequest(request)) && {
      server_id: row.compute_instance_id,
      volume_id: row.volume_id,
      encrypted_rpc_messaging: row.rpc_policy > 0,
    }),
  };
}

/** What show gives: the detail, with what the guest last reported of its volume. */
export function shownInstance(
  request: FastifyRequest,
  row: InstanceReading,
  settings: InstanceViewSettings,
): InstanceDetail {
  const detail = instanceDetail(request, row, settings);
  if (row.volume_used === null || UNMEASURED.has(detail.status)) return detail;
  const size = row.volume_size ?? 0;
  const used = rounded(row.volume_used);
  return {
    ...detail,
    volume: { size, used, ...(size > 0 && { used_percent: rounded((row.volume_used / size) * 100) }) },
  };
}

function reference(request: FastifyRequest, id: string): { id: string; links: { rel: string; href: string }[] } {
  return { id, links: linksOf(request, 'instances', id) };
}

function faultOf(request: FastifyRequest, row: InstanceReading): Pick<InstanceDetail, 'fault'> {
  if (row.fault_message === null) return {};
  const details = isAdmin(callerOfRequest(request)) ? row.fault_details : null;
  return { fault: { message: row.fault_message, created: troveTime(row.fault_created) ?? '', details } };
}

function addressesOf(row: InstanceReading): readonly ServerAddress[] {
  return row.addresses === null ? [] : (JSON.parse(row.addresses) as ServerAddress[]);
}

/** What is stored, else what the addresses say; nothing where there is neither. */
function accessOf(row: InstanceReading, addresses: readonly ServerAddress[]): InstanceSummary['access'] {
  if (row.access !== null) return JSON.parse(row.access) as InstanceSummary['access'];
  return addresses.length === 0 ? {} : { is_public: addresses.some(({ type }) => type === 'public') };
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
