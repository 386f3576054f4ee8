import { TroveError } from '@trove/common';
import { requirePrepared } from '../guest_context.ts';
import { databaseFromWire } from './convert.ts';
import type { OnceMethod } from './method.ts';

export const create_database: OnceMethod<'create_database'> = {
  run: async (context, args) => {
    requirePrepared(context);
    const { items } = await context.datastore.listDatabases({ limit: null, marker: null, includeMarker: false });
    const present = new Set(items.map((database) => database.name));
    const taken = args.databases.find((database) => present.has(database._name));
    if (taken !== undefined) throw new TroveError('DATABASE_EXISTS', `The database ${taken._name} already exists.`);
    await context.datastore.createDatabases(args.databases.map(databaseFromWire));
    return null;
  },
  /** Those that exist now are the ones that the interrupted run has made: it made none while one existed. */
  recover: async (context, args) => {
    await context.datastore.createDatabases(args.databases.map(databaseFromWire));
    return null;
  },
};
