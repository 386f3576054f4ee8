import type { ArgsOf, GuestApi } from '@trove/contracts';
import { type GuestContext, requirePrepared } from '../guest_context.ts';
import { databaseFromWire } from './convert.ts';
import type { OnceMethod } from './method.ts';

/** Databases that exist are left as they are, so that running it again is the recovery. */
async function createDatabases(context: GuestContext, args: ArgsOf<GuestApi['create_database']>): Promise<null> {
  requirePrepared(context);
  await context.datastore.createDatabases(args.databases.map(databaseFromWire));
  return null;
}

export const create_database: OnceMethod<'create_database'> = { run: createDatabases, recover: createDatabases };
