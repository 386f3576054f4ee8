import type { Command } from 'commander';
import { findInstanceId } from '../lookup.ts';
import type { Session } from '../session.ts';
import type { TroveClient } from '../trove_client.ts';
import { instanceProperties } from '../views.ts';
import { TIMEOUT_FLAG, WAIT_FLAG, type WaitOptions, waitUntilGone, waitUntilReady } from '../wait.ts';

/** Commands that change an instance as a whole; the server answers 202 and a task does the work. */
export function addChanges(program: Command, session: Session): void {
  addDelete(program, session);
  addUpgrade(program, session);
  addRestart(program, session);
}

function addDelete(program: Command, session: Session): void {
  program
    .command('delete')
    .description('delete instances')
    .argument('<instance...>', 'id or name')
    .option(...WAIT_FLAG)
    .option(...TIMEOUT_FLAG)
    .action(async (instances: string[], options: WaitOptions) => {
      const client = session.client();
      for (const idOrName of instances) {
        const id = await findInstanceId(client, idOrName);
        await client.send('DELETE', `/instances/${id}`);
        if (options.wait === true) await waitUntilGone(session.io, client, id, options);
        session.say(options.wait === true ? `${idOrName} is deleted.` : `Deleting ${idOrName} (${id}).`);
      }
    });
}

function addUpgrade(program: Command, session: Session): void {
  program
    .command('upgrade')
    .description('upgrade an instance to a datastore version; the same version rebuilds it')
    .argument('<instance>', 'id or name')
    .argument('<version>', 'id or name of the datastore version')
    .option(...WAIT_FLAG)
    .option(...TIMEOUT_FLAG)
    .action(async (idOrName: string, version: string, options: WaitOptions) => {
      const client = session.client();
      const id = await findInstanceId(client, idOrName);
      await client.send('PATCH', `/instances/${id}`, { instance: { datastore_version: version } });
      await report(session, client, id, options, `Upgrading ${idOrName} (${id}).`);
    });
}

function addRestart(program: Command, session: Session): void {
  program
    .command('restart')
    .description("restart an instance's database")
    .argument('<instance>', 'id or name')
    .option(...WAIT_FLAG)
    .option(...TIMEOUT_FLAG)
    .action(async (idOrName: string, options: WaitOptions) => {
      const client = session.client();
      const id = await findInstanceId(client, idOrName);
      await client.send('POST', `/instances/${id}/action`, { restart: {} });
      await report(session, client, id, options, `Restarting ${idOrName} (${id}).`);
    });
}

async function report(
  session: Session,
  client: TroveClient,
  id: string,
  options: WaitOptions,
  line: string,
): Promise<void> {
  if (options.wait !== true) return session.say(line);
  const instance = await waitUntilReady(session.io, client, id, options);
  session.printOne(instance, instanceProperties(instance));
}
