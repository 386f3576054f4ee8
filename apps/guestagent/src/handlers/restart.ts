import { type GuestContext, requirePrepared } from '../guest_context.ts';
import type { OnceMethod } from './method.ts';

export const restart: OnceMethod<'restart'> = {
  run: async (context, _args, note) => {
    requirePrepared(context);
    note(String(context.datastore.incarnation()));
    return stopAndStart(context);
  },
  /** Another server process than the one that was to be restarted, or none: it was stopped, and only has to run. */
  recover: async (context, _args, note) => {
    const isTheOldOne = note === undefined || note === String(context.datastore.incarnation());
    if (isTheOldOne) return stopAndStart(context);
    await context.datastore.start();
    return null;
  },
};

async function stopAndStart(context: GuestContext): Promise<null> {
  await context.status.during('RESTARTING', async () => {
    await context.tell();
    await context.datastore.stop();
    await context.datastore.start();
  });
  await context.tell();
  return null;
}
