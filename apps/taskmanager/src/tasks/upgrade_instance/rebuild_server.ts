import { oweRotation, writeInstance } from '@trove/catalog';
import { TroveError, uuidV5 } from '@trove/common';
import type { InjectedFiles, Server } from '@trove/compute';
import { brokerPassword } from '@trove/crypto-rpc';
import type { Json, Step, StepContext } from '@trove/tasks';
import { accountInFiles, newAccount, replaceAccount } from '../shared/guest_accounts.ts';
import { filesWithKey, guestFiles } from '../shared/guest_files.ts';
import { textMember } from '../shared/outputs.ts';
import { COPY_TIMEOUT_MS, RETRY, type TaskTools } from '../shared/tools.ts';
import { newKeyVersion, oldFiles, oldServer, REBUILD_SERVER } from './find_server.ts';
import { snapshotOf } from './snapshot_volume.ts';

/** A new root from the new image, with the new key and a new broker password in its files; volume, address and id stay. The undo puts all of it back. */
export function rebuildServer(tools: TaskTools): Step {
  const { compute } = tools;
  return {
    name: REBUILD_SERVER,
    timeoutMs: COPY_TIMEOUT_MS,
    retry: RETRY,
    async observe(context) {
      const server = await compute.getServer(oldServer(context).serverId);
      // One that was rebuilt by half is finished by asking for it again.
      return server?.generation === context.token && server.status !== 'BUILD' ? take(context, server) : undefined;
    },
    async run(context) {
      await replaceAccount(tools, context, newAccount(tools, context));
      const request = {
        clientToken: context.token,
        serverId: oldServer(context).serverId,
        imageId: textMember(context.task.params, 'image_id'),
        files: await newFiles(tools, context),
      };
      return { done: await take(context, await compute.rebuildServer(request, context.signal)) };
    },
    undo: (context) => putBack(tools, context),
  };
}

async function newFiles(tools: TaskTools, context: StepContext): Promise<ReturnType<typeof guestFiles>> {
  const { instanceId, projectId, params, fence } = context.task;
  const version = newKeyVersion(context);
  const key =
    version === undefined
      ? undefined
      : await context.fenced((tx) => tools.keys.inject(tx, { instanceId, fence, version }));
  const identity = {
    instanceId,
    projectId,
    datastoreManager: textMember(params, 'datastore_manager'),
    datastoreVersion: textMember(params, 'datastore_version'),
    key,
    account: newAccount(tools, context),
  };
  return guestFiles(identity, tools.settings.agent);
}

/** Known by its generation, so that a second try never puts an old volume under a server that serves again. */
async function putBack(tools: TaskTools, context: StepContext): Promise<void> {
  const { compute } = tools;
  const { serverId, imageId, volumeId } = oldServer(context);
  const undoToken = uuidV5(context.token, 'undo');
  const server = await compute.getServer(serverId);
  if (server === undefined) throw new TroveError('COMPUTE_ERROR', 'The server is gone and cannot be put back.');
  if (server.generation === undoToken) return;
  await compute.stopServer(serverId, context.signal);
  const snapshotId = snapshotOf(context);
  if (volumeId !== undefined && snapshotId !== undefined)
    await compute.restoreVolume(volumeId, snapshotId, context.signal);
  const files = await oldFilesNow(tools, context);
  await replaceAccount(tools, context, accountInFiles(files, context.task.instanceId));
  const request = { clientToken: undoToken, serverId, imageId, files };
  await take(context, await compute.rebuildServer(request, context.signal));
}

/**
 * As they were, but with the key that the catalog has now, whatever stood in them, and the password that goes with it. Both
 * rest with the compute service from then on, so that they are to be changed soon.
 */
async function oldFilesNow(tools: TaskTools, context: StepContext): Promise<InjectedFiles> {
  const { instanceId } = context.task;
  const files = oldFiles(tools, context);
  if (!oldServer(context).sealed) return files;
  const key = await tools.keys.textOf(instanceId, 'active');
  await context.fenced((tx) => oweRotation(tx, { instanceId, version: key.version }));
  const before = accountInFiles(files, instanceId);
  return filesWithKey(files, key, before && { ...before, password: brokerPassword(key.text.reveal()) });
}

async function take(context: StepContext, server: Server): Promise<Json> {
  const { instanceId, fence } = context.task;
  const values = { addresses: JSON.stringify(server.addresses), server_status: server.status };
  await context.fenced((tx) => writeInstance(tx, { instanceId, fence, values }));
  return { generation: server.generation };
}
