import { requirePrepared } from '../guest_context.ts';
import { databaseToWire, pageFromWire } from './convert.ts';
import type { PlainMethod } from './method.ts';

export const list_databases: PlainMethod<'list_databases'> = async (context, args) => {
  requirePrepared(context);
  const page = await context.datastore.listDatabases(pageFromWire(args));
  return [page.items.map(databaseToWire), page.nextMarker];
};
