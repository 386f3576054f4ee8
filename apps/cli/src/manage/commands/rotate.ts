import type { Catalog, InstanceRow } from '@trove/catalog';
import { isTroveError } from '@trove/common';
import { type Command, InvalidArgumentError } from 'commander';
import type { ManageSession } from '../session.ts';
import { waitForTask } from '../wait_for_task.ts';

const PAGE = 200;

/** `keys rotate-instance`, `keys rotate-all`. */
export function addRotate(keys: Command, session: ManageSession): void {
  keys
    .command('rotate-instance')
    .description('Give an instance another key while it serves. A taskmanager does it.')
    .argument('<instance>', 'id of the instance')
    .option('--wait', 'until it is done')
    .action((instanceId: string, { wait = false }: { wait?: boolean }) =>
      session.withCurrentCatalog(async (catalog) => {
        const taskId = await session.rotate(catalog, instanceId);
        if (wait) await waitForTask(catalog, taskId);
        session.print(`The key of instance ${instanceId} ${wait ? 'was' : 'is being'} changed: task ${taskId}.\n`);
      }),
    );

  keys
    .command('rotate-all')
    .description(
      'The same for each instance that speaks sealed messages and that no task works on; says which are left out.',
    )
    .option('--limit <count>', 'so many at most', count)
    .option('--after <instance>', 'go on behind this one, as a run with a limit has said')
    .action(({ limit = Number.POSITIVE_INFINITY, after = '' }: { limit?: number; after?: string }) =>
      session.withCurrentCatalog((catalog) => rotateAll(catalog, session, limit, after)),
    );
}

async function rotateAll(catalog: Catalog, session: ManageSession, limit: number, from: string): Promise<void> {
  let [filed, skipped, after] = [0, 0, from];
  for (;;) {
    const ids = await instancesAfter(catalog, after);
    for (const id of ids) {
      if (filed >= limit) {
        session.print(`${filed} being changed, ${skipped} left out. There are more: --after ${after}\n`);
        return;
      }
      after = id;
      if (await rotateOne(catalog, session, id)) filed += 1;
      else skipped += 1;
    }
    if (ids.length < PAGE) break;
  }
  session.print(`${filed} being changed, ${skipped} left out.\n`);
}

async function rotateOne(catalog: Catalog, session: ManageSession, instanceId: string): Promise<boolean> {
  try {
    await session.rotate(catalog, instanceId);
    return true;
  } catch (error) {
    if (!isTroveError(error, 'UNPROCESSABLE') && !isTroveError(error, 'NOT_FOUND')) throw error;
    session.print(`Left out: ${error.message}\n`);
    return false;
  }
}

async function instancesAfter({ knex }: Catalog, after: string): Promise<string[]> {
  const rows = await knex<InstanceRow>('instances')
    .where({ deleted: 0 })
    .andWhere('id', '>', after)
    .orderBy('id')
    .limit(PAGE)
    .select('id');
  return rows.map(({ id }) => id);
}

function count(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value === 0) throw new InvalidArgumentError('a whole number above 0 is expected.');
  return value;
}
