import type { Command } from 'commander';
import { findFlavorId, findInstance, findInstanceId } from '../lookup.ts';
import type { Session } from '../session.ts';
import type { Json } from '../trove_client.ts';
import { instanceProperties } from '../views.ts';
import { TIMEOUT_FLAG, WAIT_FLAG, type WaitOptions, type Work, waitForTask } from '../wait.ts';
import { wholeNumber } from '../whole_number.ts';

/** Commands that change an instance as a whole; the server answers 202 and a task does the work. */
export function addChanges(program: Command, session: Session): void {
  addDelete(program, session);
  addUpgrade(program, session);
  addRestart(program, session);
  addResize(program, session);
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
      const found: { name: string; instanceId: string }[] = [];
      // All before the first is deleted: with a name that is wrong nothing is.
      for (const name of instances) found.push({ name, instanceId: await findInstanceId(client, name) });
      const deletions: Work[] = [];
      for (const { name, instanceId } of found) {
        const { taskId } = await client.file('DELETE', `/instances/${instanceId}`);
        deletions.push({ name, instanceId, taskId });
        if (options.wait !== true) session.say(`Deleting ${name} (${instanceId}).`);
      }
      if (options.wait !== true) return;
      for (const work of deletions) {
        await waitForTask(session.io, client, work, options);
        session.say(`${work.name} is deleted.`);
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
    .action(async (name: string, version: string, options: WaitOptions) => {
      const change = { method: 'PATCH', path: '', body: { instance: { datastore_version: version } } } as const;
      await changeInstance(session, name, { ...change, line: 'Upgrading' }, options);
    });
}

function addRestart(program: Command, session: Session): void {
  program
    .command('restart')
    .description("restart an instance's database")
    .argument('<instance>', 'id or name')
    .option(...WAIT_FLAG)
    .option(...TIMEOUT_FLAG)
    .action(async (name: string, options: WaitOptions) => {
      await changeInstance(session, name, { ...action({ restart: {} }), line: 'Restarting' }, options);
    });
}

function addResize(program: Command, session: Session): void {
  program
    .command('resize-instance')
    .description('give an instance another flavor')
    .argument('<instance>', 'id or name')
    .argument('<flavor>', 'id or name')
    .option(...WAIT_FLAG)
    .option(...TIMEOUT_FLAG)
    .action(async (name: string, flavor: string, options: WaitOptions) => {
      const flavorRef = await findFlavorId(session.client(), flavor);
      await changeInstance(session, name, { ...action({ resize: { flavorRef } }), line: 'Resizing' }, options);
    });
  program
    .command('resize-volume')
    .description('make the volume of an instance larger')
    .argument('<instance>', 'id or name')
    .argument('<size>', 'in GB')
    .option(...WAIT_FLAG)
    .option(...TIMEOUT_FLAG)
    .action(async (name: string, text: string, options: WaitOptions) => {
      const size = wholeNumber('<size>', text);
      await changeInstance(session, name, { ...action({ resize: { volume: { size } } }), line: 'Resizing' }, options);
    });
}

interface Change {
  readonly method: 'POST' | 'PATCH';
  /** Below the instance's own. */
  readonly path: '' | '/action';
  readonly body: Json;
  /** What is said of it where nobody waits: `Upgrading`. */
  readonly line: string;
}

function action(body: Json) {
  return { method: 'POST', path: '/action', body } as const;
}

async function changeInstance(session: Session, name: string, change: Change, options: WaitOptions): Promise<void> {
  const client = session.client();
  const instanceId = await findInstanceId(client, name);
  const { taskId } = await client.file(change.method, `/instances/${instanceId}${change.path}`, change.body);
  if (options.wait !== true) return session.say(`${change.line} ${name} (${instanceId}).`);
  await waitForTask(session.io, client, { name, instanceId, taskId }, options);
  const instance = await findInstance(client, instanceId);
  session.printOne(instance, instanceProperties(instance));
}
