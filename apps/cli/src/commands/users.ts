import type { Command } from 'commander';
import { findInstanceId } from '../lookup.ts';
import { readPassword } from '../password.ts';
import type { Session } from '../session.ts';
import type { PageOptions } from '../trove_client.ts';
import { USER_COLUMNS } from '../views.ts';

interface UserOptions {
  readonly host?: string;
  readonly databases?: string[];
}

export function addUsers(program: Command, session: Session): void {
  program
    .command('user-list')
    .description('list the users of an instance')
    .argument('<instance>', 'id or name')
    .option('--limit <count>', 'one page of at most this many')
    .option('--marker <name@host>', 'begin after this user')
    .action(async (idOrName: string, page: PageOptions) => {
      const client = session.client();
      const id = await findInstanceId(client, idOrName);
      session.printList(await client.list(`/instances/${id}/users`, 'users', page), USER_COLUMNS);
    });
  program
    .command('user-create')
    .description('create a user')
    .argument('<instance>', 'id or name')
    .argument('<name>')
    .argument(
      '[password]',
      'read from standard input where it is left out: other users of this machine can see arguments',
    )
    .option('--host <host>', 'where the user may come from')
    .option('--databases <name...>', 'databases that the user may use')
    .action(async (idOrName: string, name: string, given: string | undefined, options: UserOptions) => {
      const client = session.client();
      const id = await findInstanceId(client, idOrName);
      const password = given ?? (await readPassword(session.io, `Password for ${name}: `));
      const databases = (options.databases ?? []).map((database) => ({ name: database }));
      const user = { name, password, databases, ...(options.host === undefined ? {} : { host: options.host }) };
      await client.send('POST', `/instances/${id}/users`, { users: [user] });
      session.say(`User ${name} is created on ${idOrName}.`);
    });
}
