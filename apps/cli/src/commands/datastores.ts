import type { Command } from 'commander';
import type { Session } from '../session.ts';
import { FLAVOR_COLUMNS, ID_NAME_COLUMNS } from '../views.ts';

/** What instances can be made of. */
export function addDatastores(program: Command, session: Session): void {
  program
    .command('datastore-list')
    .description('list datastores')
    .action(async () => {
      session.printList(await session.client().list('/datastores', 'datastores'), ID_NAME_COLUMNS);
    });
  program
    .command('datastore-version-list')
    .description('list the versions of a datastore')
    .argument('<datastore>', 'id or name')
    .action(async (datastore: string) => {
      const path = `/datastores/${encodeURIComponent(datastore)}/versions`;
      session.printList(await session.client().list(path, 'versions'), ID_NAME_COLUMNS);
    });
  program
    .command('flavor-list')
    .description('list flavors')
    .action(async () => {
      session.printList(await session.client().list('/flavors', 'flavors'), FLAVOR_COLUMNS);
    });
}
