import { TroveError } from '@trove/common';
import { type GuestContext, requirePrepared } from '../guest_context.ts';
import type { OnceMethod } from './method.ts';

/** A database that runs already is taken as it is, so that running it again is the recovery. */
async function startDatabase(context: GuestContext): Promise<null> {
  requirePrepared(context);
  await context.datastore.start();
  if ((await context.datastore.status()) !== 'healthy')
    throw new TroveError('GUEST_ERROR', 'The database does not serve after the upgrade.', { retryable: true });
  await context.tell();
  return null;
}

export const post_upgrade: OnceMethod<'post_upgrade'> = { run: startDatabase, recover: startDatabase };
