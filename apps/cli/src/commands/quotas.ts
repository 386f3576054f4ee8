import type { Command } from 'commander';
import type { Session } from '../session.ts';
import { asArray, asObject, asText, type JsonObject } from '../trove_client.ts';
import { LIMIT_COLUMNS, QUOTA_COLUMNS } from '../views.ts';
import { limitNumber } from '../whole_number.ts';

/** What a project may have, and has. */
export function addQuotas(program: Command, session: Session): void {
  program
    .command('quota-show')
    .description('show what a project has, what creates and resizes under way have reserved, and its limits')
    .argument('<project>', "its id; another than one's own is for admins")
    .addHelpText('after', UNITS_HELP)
    .action(async (project: string) => {
      session.printList(await session.client().list(quotasOf(project), 'quotas'), QUOTA_COLUMNS);
    });
  program
    .command('quota-update')
    .description("change a project's limit of a resource; for admins")
    .argument('<project>', 'its id')
    .argument('<resource>', 'instances, ram, backups or volumes')
    .argument('<limit>', '-1 is without a limit')
    .addHelpText('after', UNITS_HELP)
    .action(async (project: string, resource: string, text: string) => {
      const body = { quotas: { [resource]: limitNumber('<limit>', text) } };
      const quotas = asObject((await session.client().send('PUT', quotasOf(project), body)).quotas);
      session.printOne(quotas, textsOf(quotas));
    });
  program
    .command('limit-list')
    .description('list the limits of the own project')
    .action(async () => {
      const limits = asArray((await session.client().get('/limits')).limits).map(asObject);
      const [absolute = {}, ...rates] = limits;
      const parts = rates.length === 0 ? undefined : { items: rates, columns: LIMIT_COLUMNS };
      session.printOne({ limits }, textsOf(absolute), parts);
    });
}

const UNITS_HELP = `
Instances and backups are counted, ram is in MB, volumes in GB. What a project has already stays, above its limit too.`;

function quotasOf(project: string): string {
  return `/mgmt/quotas/${encodeURIComponent(project)}`;
}

function textsOf(object: JsonObject): Record<string, string> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, asText(value)]));
}
