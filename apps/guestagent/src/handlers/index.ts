import { guestApi } from '@trove/contracts';
import type { GuestHandlers } from '@trove/crypto-rpc';
import type { GuestContext } from '../guest_context.ts';
import { create_database } from './create_database.ts';
import { create_user } from './create_user.ts';
import { delete_database } from './delete_database.ts';
import { get_filesystem_stats } from './get_filesystem_stats.ts';
import { get_outcome } from './get_outcome.ts';
import { list_databases } from './list_databases.ts';
import { list_users } from './list_users.ts';
import { long, once, plain } from './method.ts';
import { post_upgrade } from './post_upgrade.ts';
import { pre_upgrade } from './pre_upgrade.ts';
import { prepare } from './prepare.ts';
import { restart } from './restart.ts';
import { rpc_ping } from './rpc_ping.ts';

/** One handler per method of the guest's contract, but `hello`, which the RPC server answers itself. */
export function guestHandlers(context: GuestContext): GuestHandlers {
  return {
    rpc_ping: plain<'rpc_ping'>(context, rpc_ping),
    prepare: long(context, guestApi.prepare, prepare),
    get_outcome: plain<'get_outcome'>(context, get_outcome),
    get_filesystem_stats: plain<'get_filesystem_stats'>(context, get_filesystem_stats),
    create_database: once<'create_database'>(context, guestApi.create_database, create_database),
    delete_database: once<'delete_database'>(context, guestApi.delete_database, delete_database),
    list_databases: plain<'list_databases'>(context, list_databases),
    create_user: once<'create_user'>(context, guestApi.create_user, create_user),
    list_users: plain<'list_users'>(context, list_users),
    restart: once<'restart'>(context, guestApi.restart, restart),
    pre_upgrade: once<'pre_upgrade'>(context, guestApi.pre_upgrade, pre_upgrade),
    post_upgrade: once<'post_upgrade'>(context, guestApi.post_upgrade, post_upgrade),
  };
}
