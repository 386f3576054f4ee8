import { isTroveError } from '@trove/common';
import { requirePrepared } from '../guest_context.ts';
import type { OnceMethod } from './method.ts';

export const delete_database: OnceMethod<'delete_database'> = {
  run: async (context, { database }) => {
    requirePrepared(context);
    await context.datastore.deleteDatabase(database._name);
    return null;
  },
  /** Gone is what was asked for. */
  recover: async (context, { database }) => {
    await context.datastore.deleteDatabase(database._name).catch((error: unknown) => {
      if (!isTroveError(error, 'DATABASE_NOT_FOUND')) throw error;
    });
    return null;
  },
};
