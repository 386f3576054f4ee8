import type { RunStatement } from '../operations.ts';
import type { Migration } from './migration.ts';

const ENDED = "('done', 'failed', 'cancelled')";

/** Tasks that ended without their last write have kept what was secret in their rows. */
export const taskSecrets: Migration = {
  version: 112,
  operations: [{ kind: 'change_data', up: (_, run) => erase(run) }],
};

/** What the database takes for no JSON, such as half a surrogate pair on MariaDB, goes as a whole: its task is over. */
async function erase(run: RunStatement): Promise<void> {
  await run(
    `UPDATE tasks SET params = CASE WHEN JSON_VALID(params) THEN JSON_REPLACE(params, '$.users', NULL) ELSE '{}' END
     WHERE state IN ${ENDED} AND params LIKE '%"users"%'`,
  );
  await run(
    `UPDATE task_steps SET output = CASE
       WHEN JSON_VALID(output) THEN JSON_REPLACE(output, '$.password', NULL, '$.files', NULL) ELSE '{}' END
     WHERE (output LIKE '%"password"%' OR output LIKE '%"files"%')
       AND task_id IN (SELECT id FROM tasks WHERE state IN ${ENDED})`,
  );
}
