import { requirePrepared } from '../guest_context.ts';
import { pageFromWire, userToWire } from './convert.ts';
import type { PlainMethod } from './method.ts';

export const list_users: PlainMethod<'list_users'> = async (context, args) => {
  requirePrepared(context);
  const page = await context.datastore.listUsers(pageFromWire(args));
  return [page.items.map(userToWire), page.nextMarker];
};
