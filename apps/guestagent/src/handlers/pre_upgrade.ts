import { type GuestContext, requirePrepared } from '../guest_context.ts';
import type { OnceMethod } from './method.ts';

/** A database that is stopped already stays so, so that running it again is the recovery. */
async function stopDatabase(context: GuestContext): Promise<Record<string, unknown>> {
  requirePrepared(context);
  await context.status.during('UPGRADING', async () => {
    await context.tell();
    await context.datastore.stop();
  });
  return { manager: context.facts.manager, version: context.facts.version };
}

export const pre_upgrade: OnceMethod<'pre_upgrade'> = { run: stopDatabase, recover: stopDatabase };
