import { liftQuarantine, listQuarantine, toBigint } from '@trove/catalog';
import type { Command } from 'commander';
import { CliError, EXIT } from '../../exit.ts';
import { renderTable } from '../../table.ts';
import type { ManageSession } from '../session.ts';

/** `quarantine list`, `quarantine lift`. */
export function addQuarantine(program: Command, session: ManageSession): void {
  const quarantine = program
    .command('quarantine')
    .description('Instances that two guests answered for: nothing is taken from them or asked of them.');

  quarantine
    .command('list')
    .description('List them, and since when.')
    .action(() =>
      session.withCurrentCatalog(async ({ knex }) => {
        const rows = await listQuarantine(knex);
        const since = (micros: string | number | bigint): string =>
          new Date(Number(toBigint(micros) / 1000n)).toISOString();
        session.print(
          renderTable(
            ['Instance', 'Since'],
            rows.map((row) => [row.instance_id, since(row.quarantined_at)]),
          ),
        );
      }),
    );

  quarantine
    .command('lift')
    .description('Speak to the instance again. End the clone first: two guests still there are found out again.')
    .argument('<instance>', 'id of the instance')
    .action((instanceId: string) =>
      session.withCurrentCatalog(async ({ knex }) => {
        if (!(await liftQuarantine(knex, instanceId)))
          throw new CliError(EXIT.notFound, `Instance ${instanceId} is not in quarantine.`);
        session.print(`Quarantine of instance ${instanceId} lifted.\n`);
      }),
    );
}
