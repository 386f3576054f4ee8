import { requirePrepared } from '../guest_context.ts';
import { userFromWire } from './convert.ts';
import type { OnceMethod } from './method.ts';

export const create_user: OnceMethod<'create_user'> = {
  run: async (context, args) => {
    requirePrepared(context);
    await context.datastore.createUsers(args.users.map(userFromWire));
    return null;
  },
  /** Those that exist now are the ones that the interrupted run has made: it made none while one existed. */
  recover: async (context, args) => {
    await context.datastore.ensureUsers(args.users.map(userFromWire));
    return null;
  },
};
