import type { Knex } from 'knex';

/** Where tasks hold secrets, sealed or, without a control plane's key, as they are: members of params, and of steps' outputs. */
const IN_PARAMS = ['users'];
const IN_OUTPUTS = ['password', 'files'];

/**
 * Sets what is secret in the rows of these tasks to null. In the transaction that ends them, in whichever way they end: a
 * task that is over needs no password any more.
 */
export async function eraseTaskSecrets(tx: Knex.Transaction, taskIds: readonly string[]): Promise<void> {
  await erase(tx('tasks').whereIn('id', taskIds), 'params', IN_PARAMS);
  await erase(tx('task_steps').whereIn('task_id', taskIds), 'output', IN_OUTPUTS);
}

async function erase(rows: Knex.QueryBuilder, column: string, members: readonly string[]): Promise<void> {
  const paths = members.flatMap((member) => [`$.${member}`, null]);
  const holders = rows.where((any) => {
    for (const member of members) any.orWhere(column, 'like', `%"${member}"%`);
  });
  const places = paths.map(() => '?').join(', ');
  // What the database takes for no JSON, such as half a surrogate pair on MariaDB, must not keep a task from ending.
  const erased = `CASE WHEN JSON_VALID(??) THEN JSON_REPLACE(??, ${places}) ELSE '{}' END`;
  await holders.update({ [column]: holders.client.raw(erased, [column, column, ...paths]) });
}
