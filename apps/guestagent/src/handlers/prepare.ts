import { TroveError } from '@trove/common';
import type { ArgsOf, GuestApi } from '@trove/contracts';
import type { GuestContext } from '../guest_context.ts';
import { databaseFromWire, userFromWire } from './convert.ts';
import type { OnceMethod } from './method.ts';

type Args = ArgsOf<GuestApi['prepare']>;

/** What Trove can ask for here and this agent cannot do yet: refused rather than left out in silence. */
const NOT_YET = ['backup_info', 'root_password', 'cluster_config', 'snapshot'] as const;

/** Each part finds what an interrupted run has made, so that running it again is the recovery. */
async function prepareDatabase(context: GuestContext, args: Args): Promise<{ accepted: true }> {
  if (context.markers.state() === 'done') throw new TroveError('ALREADY_DONE', 'The instance is prepared already.');
  context.markers.begin();
  await context.tell();
  try {
    refuseWhatIsNotYet(args);
    const { datastore } = context;
    await datastore.initialise();
    await datastore.start();
    if (args.databases.length > 0) await datastore.createDatabases(args.databases.map(databaseFromWire));
    if (args.users.length > 0) await datastore.ensureUsers(args.users.map(userFromWire));
  } catch (error) {
    context.markers.fail();
    await context.tell();
    throw error;
  }
  context.markers.end();
  await context.tell();
  return { accepted: true };
}

/** Prepared means that the interrupted run got to its end. */
async function recoverPrepare(context: GuestContext, args: Args): Promise<{ accepted: true }> {
  return context.markers.state() === 'done' ? { accepted: true } : prepareDatabase(context, args);
}

function refuseWhatIsNotYet(args: Args): void {
  const asked = NOT_YET.find((name) => args[name] !== null && args[name] !== undefined && args[name] !== '');
  if (asked !== undefined)
    throw new TroveError('NOT_IMPLEMENTED', 'The guest cannot prepare a database in this way.', {
      details: { argument: asked },
    });
}

export const prepare: OnceMethod<'prepare'> = { run: prepareDatabase, recover: recoverPrepare };
