import { afterRestore, catalogVersion, downgradeCatalog, type MigrationOptions, syncCatalog } from '@trove/catalog';
import { type Command, InvalidArgumentError } from 'commander';
import type { ManageSession } from '../session.ts';

/** `db_sync`, `db_downgrade`, `db_version`, `db_restored`. */
export function addDb(program: Command, session: ManageSession): void {
  program
    .command('db_sync')
    .description(
      "Bring the catalog to this release's version, or take over one that Trove made; again, it does nothing.",
    )
    .option('--to <version>', 'stop at this version', version)
    .action((options: { to?: number }) =>
      session.withCatalog(({ knex }) =>
        syncCatalog(knex, { ...progress(session), ...(options.to === undefined ? {} : { to: options.to }) }),
      ),
    );

  program
    .command('db_downgrade')
    .description('Take the catalog back to an earlier version.')
    .argument('<version>', 'the version to end at', version)
    .option('--drop-keys', "also where that drops instances' keys, whose guests can then not be spoken to", false)
    .action((to: number, options: { dropKeys: boolean }) =>
      session.withCatalog(({ knex }) =>
        downgradeCatalog(knex, { ...progress(session), to, dropKeys: options.dropKeys }),
      ),
    );

  program
    .command('db_version')
    .description('Print the version that the catalog is at.')
    .action(() => session.withCatalog(async ({ knex }) => session.print(`${await catalogVersion(knex)}\n`)));

  program
    .command('db_restored')
    .description('Make a catalog that was restored from a backup fit for work. Stop every service first.')
    .addHelpText('after', RESTORED_HELP)
    .action(() =>
      session.withCurrentCatalog(async (catalog) => {
        const ended = await afterRestore(catalog);
        session.print(`${ended} tasks that were under way at the backup are ended. The services may start;\n`);
        session.print('nothing is removed until you have looked at "reconcile" and said --apply.\n');
      }),
    );
}

const RESTORED_HELP = `
What was under way at the backup must not be gone on with: undoing it could take away what has been in use since. Such tasks end
as failed, their instances are free, and the reconciler settles what they show.`;

function version(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('a version is a whole number.');
  return Number(text);
}

function progress(session: ManageSession): MigrationOptions {
  return {
    onStep: ({ from, to }) => session.print(`${from} -> ${to}... `),
    onDone: () => session.print('done\n'),
    onWaiting: (holder) => session.print(`waiting for the migration lock, held by ${holder}\n`),
  };
}
