import type { InstanceRow, InvariantReport } from '@trove/catalog';
import { newUuid } from '@trove/common';
import type { Ground } from './ground.ts';
import { manage } from './manage.ts';

/** A guest that was not heard for so long does not come back by itself. */
const SILENT_MICROS = 45_000_000;

/**
 * What docs/operations.md asks of an operator after a restore, once the services are up again: looks at what differs and lets
 * the reconciler act on it, deletes instances whose server or volume is lost, and rebuilds those whose guest holds another key
 * than the catalog. May be done again and again.
 */
export async function lookAfter(ground: Ground, report: InvariantReport): Promise<void> {
  await manage(ground, 'reconcile', '--apply');
  const lost = report.results.flatMap(({ findings }) =>
    findings.flatMap(({ key, instanceId }) => (key.startsWith('lost:') && instanceId !== null ? instanceId : [])),
  );
  for (const id of new Set(lost)) await ask(ground, 'DELETE', `/instances/${id}`);
  for (const { id, version } of await silentInstances(ground))
    if (!lost.includes(id))
      await ask(ground, 'PATCH', `/instances/${id}`, { instance: { datastore_version: version } });
}

/** Instances that should serve and whose guests nobody hears, none of which a task works on. */
async function silentInstances({ catalog }: Ground): Promise<readonly { id: string; version: string }[]> {
  return await catalog
    .knex<InstanceRow>('instances as i')
    .join('instance_reports as r', 'r.instance_id', 'i.id')
    .join('datastore_versions as v', 'v.id', 'i.datastore_version_id')
    .where({ 'i.deleted': 0, 'i.server_status': 'ACTIVE', 'i.active_task_id': null })
    .whereRaw('(r.received_at IS NULL OR r.received_at < UNIX_TIMESTAMP(NOW(6)) * 1000000 - ?)', [SILENT_MICROS])
    .select('i.id', 'v.name as version');
}

/** One that is refused is asked again at the next look, if it is still wanted. */
async function ask({ apiUrls, token }: Ground, method: string, path: string, body?: object): Promise<void> {
  const headers = { 'x-auth-token': token, 'idempotency-key': newUuid(), 'content-type': 'application/json' };
  const options = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) };
  const response = await fetch(`${apiUrls[0]}${path}`, options).catch(() => undefined);
  await response?.arrayBuffer();
}
