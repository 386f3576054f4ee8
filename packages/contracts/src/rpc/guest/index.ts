import { create_database } from './create_database.ts';
import { create_user } from './create_user.ts';
import { delete_database } from './delete_database.ts';
import { get_filesystem_stats } from './get_filesystem_stats.ts';
import { get_outcome } from './get_outcome.ts';
import { hello } from './hello.ts';
import { list_databases } from './list_databases.ts';
import { list_users } from './list_users.ts';
import { post_upgrade } from './post_upgrade.ts';
import { pre_upgrade } from './pre_upgrade.ts';
import { prepare } from './prepare.ts';
import { restart } from './restart.ts';
import { rotate_key } from './rotate_key.ts';
import { rpc_ping } from './rpc_ping.ts';

/** What a guest agent does for the taskmanager. `hello`, `rotate_key` and `get_outcome` are answered by v2 guests only. */
export const guestApi = {
  hello,
  rotate_key,
  rpc_ping,
  prepare,
  get_outcome,
  get_filesystem_stats,
  create_database,
  delete_database,
  list_databases,
  create_user,
  list_users,
  restart,
  pre_upgrade,
  post_upgrade,
} as const;

export type GuestApi = typeof guestApi;
