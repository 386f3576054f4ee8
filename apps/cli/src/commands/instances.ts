import type { Command } from 'commander';
import { findInstance } from '../lookup.ts';
import type { Session } from '../session.ts';
import type { PageOptions } from '../trove_client.ts';
import { INSTANCE_COLUMNS, instanceProperties } from '../views.ts';

export function addInstances(program: Command, session: Session): void {
  program
    .command('list')
    .description('list instances')
    .option('--limit <count>', 'one page of at most this many')
    .option('--marker <id>', 'begin after this instance')
    .action(async (page: PageOptions) => {
      session.printList(await session.client().list('/instances', 'instances', page), INSTANCE_COLUMNS);
    });
  program
    .command('show')
    .description('show an instance')
    .argument('<instance>', 'id or name')
    .action(async (idOrName: string) => {
      const instance = await findInstance(session.client(), idOrName);
      session.printOne(instance, instanceProperties(instance));
    });
}
