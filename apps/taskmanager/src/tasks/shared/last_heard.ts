import type { InstanceReportRow, ServiceStatusRow } from '@trove/catalog';
import type { TaskTools } from './tools.ts';

/** A report may be on its way, or wait with the conductor, for so long: one that comes in sooner may be from before. */
export const ON_ITS_WAY_MS = 5000;

/** What a guest has said after `since`, milliseconds of the catalog's time: its service status; undefined where it has said nothing yet. */
export async function heardAfter(
  { catalog }: Pick<TaskTools, 'catalog'>,
  instanceId: string,
  since: number,
): Promise<string | undefined> {
  const report = await catalog
    .knex<InstanceReportRow>('instance_reports')
    .where({ instance_id: instanceId })
    .where('received_at', '>', (since + ON_ITS_WAY_MS) * 1000)
    .first('instance_id');
  return report && (await serviceStatus({ catalog }, instanceId));
}

/** The latest that stands in the catalog, whoever wrote it. */
export async function serviceStatus(
  { catalog }: Pick<TaskTools, 'catalog'>,
  instanceId: string,
): Promise<string | undefined> {
  const row = await catalog
    .knex<ServiceStatusRow>('service_statuses')
    .where({ instance_id: instanceId })
    .orderBy('updated_at', 'desc')
    .first('status_description');
  return row?.status_description;
}

/** Whether a conductor has written any guest's report of after `since`: then what was said before has come in too. */
export async function reportsComeIn({ catalog }: Pick<TaskTools, 'catalog'>, since: number): Promise<boolean> {
  const report = await catalog
    .knex<InstanceReportRow>('instance_reports')
    .where('received_at', '>', (since + ON_ITS_WAY_MS) * 1000)
    .first('instance_id');
  return report !== undefined;
}
