import {
  type Catalog,
  type InstanceReportRow,
  insertInstance,
  recordHello,
  type ServiceStatusRow,
  withTransaction,
} from '@trove/catalog';
import { newUuid } from '@trove/common';
import type { HeartbeatReport } from '@trove/crypto-rpc';

const NONCE = 'ab'.repeat(16);
export const OTHER_NONCE = 'cd'.repeat(16);

/** A legacy instance as the api makes it. */
export async function legacyInstance(catalog: Catalog): Promise<string> {
  const id = newUuid();
  const row = {
    name: 'one',
    tenant_id: 'p',
    flavor_id: '1',
    volume_size: 1,
    datastore_version_id: null,
    region_id: null,
    access: null,
  };
  await withTransaction(catalog, (tx) => insertInstance(tx, { id, ...row }));
  return id;
}

/** An instance with a live key whose boot `NONCE` has been greeted at sequence 10. */
export async function sealedInstance(catalog: Catalog): Promise<string> {
  const id = await legacyInstance(catalog);
  await catalog.knex('instances').where({ id }).update({ rpc_policy: 2 });
  const key = { version: 1, state: 'active', sealed_key: 'x', uplink: 'x', kcv: '0'.repeat(12), policy: 2 };
  await catalog.knex('instance_keys').insert({ instance_id: id, ...key });
  const hello = { instanceId: id, expectedNonce: null, bootNonce: NONCE, sequence: 10n, keyVersion: 1 };
  await withTransaction(catalog, (tx) => recordHello(tx, hello));
  return id;
}

type Payload = HeartbeatReport['args']['payload'];

export function sealedReport(
  instanceId: string,
  sequence: bigint,
  payload: Payload,
  { nonce = NONCE, keyVersion = 1 } = {},
): HeartbeatReport {
  const args = { instance_id: instanceId, payload };
  const bootNonce = Buffer.from(nonce, 'hex');
  return {
    instanceId,
    method: 'heartbeat',
    args,
    messageId: newUuid(),
    bootNonce,
    sequence,
    keyVersion,
    expiresMs: Date.now() + 90_000,
    legacy: false,
  };
}

export function legacyReport(instanceId: string, sent: number | null, serviceStatus: string): HeartbeatReport {
  const args = { instance_id: instanceId, payload: { service_status: serviceStatus }, sent };
  return {
    instanceId,
    method: 'heartbeat',
    args,
    messageId: newUuid(),
    bootNonce: null,
    sequence: null,
    keyVersion: null,
    expiresMs: null,
    legacy: true,
  };
}

export async function reportOf(catalog: Catalog, instanceId: string): Promise<InstanceReportRow | undefined> {
  return await catalog.knex<InstanceReportRow>('instance_reports').where({ instance_id: instanceId }).first();
}

export async function statusOf(catalog: Catalog, instanceId: string): Promise<string | undefined> {
  const row = await catalog
    .knex<ServiceStatusRow>('service_statuses')
    .where({ instance_id: instanceId })
    .first('status_description');
  return row?.status_description;
}

/** Sets `updated_at` far back, so that a touch shows. */
export async function age(catalog: Catalog, instanceId: string): Promise<void> {
  await catalog
    .knex('service_statuses')
    .where({ instance_id: instanceId })
    .update({ updated_at: '2001-01-01 00:00:00' });
}

export async function wasTouched(catalog: Catalog, instanceId: string): Promise<boolean> {
  const row = await catalog
    .knex<ServiceStatusRow>('service_statuses')
    .where({ instance_id: instanceId })
    .first('updated_at');
  return row?.updated_at !== '2001-01-01 00:00:00';
}
