import type { Command } from 'commander';
import { findInstanceId } from '../lookup.ts';
import type { Session } from '../session.ts';
import type { PageOptions } from '../trove_client.ts';
import { NAME_COLUMNS } from '../views.ts';

export function addDatabases(program: Command, session: Session): void {
  program
    .command('database-list')
    .description('list the databases of an instance')
    .argument('<instance>', 'id or name')
    .option('--limit <count>', 'one page of at most this many')
    .option('--marker <name>', 'begin after this database')
    .action(async (idOrName: string, page: PageOptions) => {
      const client = session.client();
      const id = await findInstanceId(client, idOrName);
      session.printList(await client.list(`/instances/${id}/databases`, 'databases', page), NAME_COLUMNS);
    });
  program
    .command('database-create')
    .description('create a database')
    .argument('<instance>', 'id or name')
    .argument('<name>')
    .option('--character_set <name>')
    .option('--collate <name>')
    .action(async (idOrName: string, name: string, options: { character_set?: string; collate?: string }) => {
      const client = session.client();
      const id = await findInstanceId(client, idOrName);
      await client.send('POST', `/instances/${id}/databases`, { databases: [{ name, ...options }] });
      session.say(`Database ${name} is created on ${idOrName}.`);
    });
  program
    .command('database-delete')
    .description('delete a database and all that is in it')
    .argument('<instance>', 'id or name')
    .argument('<name>')
    .action(async (idOrName: string, name: string) => {
      const client = session.client();
      const id = await findInstanceId(client, idOrName);
      await client.send('DELETE', `/instances/${id}/databases/${pathElement(name)}`);
      session.say(`Database ${name} is deleted on ${idOrName}.`);
    });
}

/** Trove reads what stands after a dot at the path's end as a format, so dots are quoted too. */
function pathElement(name: string): string {
  return encodeURIComponent(name).replaceAll('.', '%2e');
}
