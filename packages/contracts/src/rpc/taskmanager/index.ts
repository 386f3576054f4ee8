import { create_database } from './create_database.ts';
import { create_user } from './create_user.ts';
import { delete_database } from './delete_database.ts';
import { list_databases } from './list_databases.ts';
import { list_users } from './list_users.ts';
import { run_task } from './run_task.ts';

/** What a taskmanager does for the api: the doorbell, and the calls that it passes on to a guest. */
export const taskmanagerApi = {
  run_task,
  list_databases,
  create_database,
  delete_database,
  list_users,
  create_user,
} as const;

export type TaskmanagerApi = typeof taskmanagerApi;
