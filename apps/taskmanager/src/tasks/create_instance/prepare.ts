import { openTaskSecret } from '@trove/catalog';
import { TroveError } from '@trove/common';
import type { ArgsOf, GuestApi } from '@trove/contracts';
import type { Json, Step, StepContext, StepResult } from '@trove/tasks';
import { callOnce } from '../shared/call_once.ts';
import { memberOf, optionalText, textMember } from '../shared/outputs.ts';
import { PERSISTENT_RETRY, SLICE_TIMEOUT_MS, type TaskTools } from '../shared/tools.ts';
import { flavorOf } from './create_server.ts';
import { isKeyed } from './declare_guest.ts';

/** Asks the guest to make its database. Output: the idempotency key by which the outcome is asked for. */
export function prepare(tools: TaskTools): Step {
  return {
    name: 'prepare',
    timeoutMs: SLICE_TIMEOUT_MS,
    retry: PERSISTENT_RETRY,
    run: (context) => askToPrepare(tools, context, context.token),
    undo: async () => {},
  };
}

/** The same request under the same idempotency key as often as it is needed: the guest begins once. */
export async function askToPrepare(
  tools: TaskTools,
  context: StepContext,
  idempotencyKey: string,
): Promise<StepResult> {
  const sealed = isKeyed(context);
  const answer = await callOnce(tools, context, {
    method: 'prepare',
    args: prepareArgs(tools, context),
    sealed,
    idempotencyKey,
  });
  if ('wait' in answer) return { wait: { ...answer.wait, progress: 'the guest agent has not answered yet' } };
  return { done: { idempotency_key: idempotencyKey } };
}

export function prepareArgs({ controlRing }: TaskTools, context: StepContext): ArgsOf<GuestApi['prepare']> {
  const { params, id } = context.task;
  const users = optionalText(params, 'users');
  return {
    packages: [],
    databases: listOf(memberOf(params, 'databases')).map(guestDatabase),
    memory_mb: flavorOf(context).ram,
    users: users === undefined ? [] : guestUsers(openUsers(controlRing, id, users)),
    device_path: null,
    mount_point: null,
    backup_info: null,
    config_contents: null,
    root_password: null,
    overrides: null,
    cluster_config: null,
    snapshot: null,
    modules: null,
    ds_version: textMember(params, 'datastore_version'),
  };
}

function openUsers(ring: TaskTools['controlRing'], taskId: string, sealed: string): Json {
  try {
    return JSON.parse(openTaskSecret(ring, taskId, sealed));
  } catch (error) {
    throw new TroveError('INTERNAL', 'The users of the request do not open under taskmanager_rpc_encr_key.', {
      cause: error,
    });
  }
}

function listOf(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}

type GuestDatabases = ArgsOf<GuestApi['prepare']>['databases'];
type GuestUsers = ArgsOf<GuestApi['prepare']>['users'];

function guestDatabase(database: Json): GuestDatabases[number] {
  return {
    _name: textMember(database, 'name'),
    _character_set: optionalText(database, 'character_set') ?? null,
    _collate: optionalText(database, 'collate') ?? null,
  };
}

function guestUsers(users: Json): GuestUsers {
  return listOf(users).map((user) => ({
    _name: textMember(user, 'name'),
    _host: optionalText(user, 'host') ?? '%',
    _password: textMember(user, 'password'),
    _databases: listOf(memberOf(user, 'databases')).map((database) => ({ _name: textMember(database, 'name') })),
  }));
}
