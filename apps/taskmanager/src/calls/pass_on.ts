import { unavailableCatalog } from '@trove/catalog';
import { isTroveError } from '@trove/common';
import { type GuestApi, guestApi, type Handlers, type TaskmanagerApi } from '@trove/contracts';
import type { CallContext, Caller, GuestClient } from '@trove/crypto-rpc';
import type { GuestHello } from '../guests/guest_hello.ts';

/** How much longer the taskmanager waits than the guest may take. */
const BEYOND_GUEST_MS = 1000;
const HELLO_WITHIN_MS = 5000;

export interface PassOnDeps {
  readonly guests: Pick<GuestClient, 'call'>;
  readonly hello: GuestHello;
  /** A doorbell for this task. */
  readonly ring: (taskId: string) => void;
  readonly patienceMs: { readonly low: number; readonly high: number };
}

type PassedOn = Exclude<keyof TaskmanagerApi, 'run_task'> & keyof GuestApi;

/** What a taskmanager does for the api: doorbells, and calls that go on to the guest and come back with its answer. */
export function taskmanagerHandlers(deps: PassOnDeps): Handlers<TaskmanagerApi, Caller> {
  const passOn = async <M extends PassedOn>(
    method: M,
    { instance_id, ...args }: { instance_id: string } & Parameters<typeof deps.guests.call<M>>[2],
    caller: Caller,
  ): ReturnType<typeof deps.guests.call<M>> => {
    const options = {
      deadlineMs: deps.patienceMs[guestApi[method].patience] + BEYOND_GUEST_MS,
      context: contextForGuest(caller.context),
      ...(guestApi[method].once && { idempotencyKey: caller.messageId }),
    };
    const guestArgs = args as unknown as Parameters<typeof deps.guests.call<M>>[2];
    try {
      return await deps.guests.call(instance_id, method, guestArgs, options);
    } catch (error) {
      if (!isTroveError(error, 'STALE_BOOT')) return unavailableCatalog(error);
      // The guest did nothing: it has started anew, and nobody has asked it since.
      await deps.hello.greet(instance_id, { deadlineMs: HELLO_WITHIN_MS });
      return await deps.guests.call(instance_id, method, guestArgs, options);
    }
  };
  return {
    run_task: async ({ task_id }) => {
      deps.ring(task_id);
      return null;
    },
    list_databases: (args, caller) => passOn('list_databases', args, caller),
    create_database: (args, caller) => passOn('create_database', args, caller),
    delete_database: (args, caller) => passOn('delete_database', args, caller),
    list_users: (args, caller) => passOn('list_users', args, caller),
    create_user: (args, caller) => passOn('create_user', args, caller),
  };
}

/** A guest learns which request it serves, for its log, and nothing that would let it act as somebody. */
function contextForGuest({ request_id, project_id, user_id }: CallContext): CallContext {
  return {
    ...(request_id !== undefined && { request_id }),
    ...(project_id !== undefined && { project_id }),
    ...(user_id !== undefined && { user_id }),
  };
}
