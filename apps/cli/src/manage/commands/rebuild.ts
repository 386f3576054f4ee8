import type { Command } from 'commander';
import type { ManageSession } from '../session.ts';
import { waitForTask } from '../wait_for_task.ts';

/** `rebuild`. */
export function addRebuild(program: Command, session: ManageSession): void {
  program
    .command('rebuild')
    .description(
      'Give an instance in clear whose guest nobody can ask a new server around its volume. A taskmanager does it.',
    )
    .argument('<instance>', 'id of the instance')
    .option('--wait', 'until it is done')
    .addHelpText('after', HELP)
    .action((instanceId: string, { wait = false }: { wait?: boolean }) =>
      session.withCurrentCatalog(async (catalog) => {
        const taskId = await session.rebuild(catalog, instanceId);
        if (wait) await waitForTask(catalog, taskId);
        session.print(`Instance ${instanceId} ${wait ? 'was' : 'is being'} rebuilt: task ${taskId}.\n`);
      }),
    );
}

const HELP = `
For an instance that a restored catalog has in clear, and whose guest got a key since the backup, which nobody can tell it. Its
guest is asked for agent_call_high_timeout first, and where it answers nothing is done. Then the server is stopped, and its
database with it; the new one has the same version, volume and address, and a key. If it fails, the old one is put back.`;
