import { openTaskSecret, sealTaskSecret, writeServiceStatus } from '@trove/catalog';
import { TroveError } from '@trove/common';
import type { InjectedFiles } from '@trove/compute';
import { SERVICE_STATUSES } from '@trove/contracts';
import type { Step, StepContext } from '@trove/tasks';
import { filesWithoutSecrets } from '../shared/guest_accounts.ts';
import { knownServer } from '../shared/known_server.ts';
import { memberOf, numberMember, objectMember, optionalText, textMember } from '../shared/outputs.ts';
import { CATALOG_TIMEOUT_MS, RETRY, type TaskTools } from '../shared/tools.ts';

const FIND_SERVER = 'find_server';
/** The step whose undo puts the old server back. */
export const REBUILD_SERVER = 'rebuild_server';

/** What stands before the upgrade, so that an undo can put it back. Files that hold what is in no other place rest sealed. */
export function findServer(tools: TaskTools): Step {
  return {
    name: FIND_SERVER,
    timeoutMs: CATALOG_TIMEOUT_MS,
    retry: RETRY,
    async run(context) {
      const { instanceId, id } = context.task;
      const { instance, server } = await knownServer(tools, instanceId);
      if (server === undefined) throw new TroveError('UNPROCESSABLE', 'The instance has no server to upgrade.');
      if (server.volumeId !== null) requireWayBack(tools, context);
      const files = await tools.compute.injectedFiles(server.id);
      const kept = JSON.stringify(instance.rpc_policy === 2 ? filesWithoutSecrets(files, instanceId) : files);
      await context.fenced((tx) => writeServiceStatus(tx, { instanceId, status: SERVICE_STATUSES.UPGRADING }));
      return {
        done: {
          server_id: server.id,
          image_id: server.imageId,
          volume_id: server.volumeId,
          rpc_policy: instance.rpc_policy,
          files: sealTaskSecret(tools.controlRing, id, kept),
        },
      };
    },
  };
}

/**
 * Throws `UNPROCESSABLE` where the volume could not be put back to what it is now: then the data may not be converted, and
 * nothing has been stopped yet. At the same version it stays as it is.
 */
export function requireWayBack({ compute }: TaskTools, { task }: Pick<StepContext, 'task'>): void {
  const before = optionalText(objectMember(task.params, 'previous'), 'datastore_version_id');
  if (compute.canSnapshot || before === optionalText(task.params, 'datastore_version_id')) return;
  throw new TroveError(
    'UNPROCESSABLE',
    'Volumes cannot be snapshotted here, so an upgrade to another version could not be taken back.',
  );
}

export interface OldServer {
  readonly serverId: string;
  readonly imageId: string;
  readonly volumeId: string | undefined;
  /** Whether the old server was spoken to under v2. */
  readonly sealed: boolean;
}

export function oldServer(context: StepContext): OldServer {
  const found = context.outputs[FIND_SERVER];
  return {
    serverId: textMember(found, 'server_id'),
    imageId: textMember(found, 'image_id'),
    volumeId: optionalText(found, 'volume_id'),
    sealed: numberMember(found, 'rpc_policy') === 2,
  };
}

/**
 * Asked before an undo that counts on the old server. Where that could not be put back, snapshot and new key stay: they are
 * what is left to put it right with. Throws `COMPUTE_ERROR`, for good.
 */
export function requireOldServer(context: StepContext): void {
  if (context.notUndone.has(REBUILD_SERVER)) throw new TroveError('COMPUTE_ERROR', 'The old server is not back.');
}

/** The files as they were injected before. */
export function oldFiles({ controlRing }: TaskTools, context: StepContext): InjectedFiles {
  const sealed = textMember(context.outputs[FIND_SERVER], 'files');
  return JSON.parse(openTaskSecret(controlRing, context.task.id, sealed));
}

/** The version of the key that the new server gets; undefined where it stays without one. */
export function newKeyVersion({ outputs }: Pick<StepContext, 'outputs'>): number | undefined {
  const version = memberOf(outputs['make_pending_key'], 'version');
  return typeof version === 'number' ? version : undefined;
}
