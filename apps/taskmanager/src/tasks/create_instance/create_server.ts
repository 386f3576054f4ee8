import { intendResource, markResource, writeInstance } from '@trove/catalog';
import { TroveError } from '@trove/common';
import type { CreateServer, Flavor, Server } from '@trove/compute';
import type { Json, Step, StepContext } from '@trove/tasks';
import { newAccount } from '../shared/guest_accounts.ts';
import { guestFiles } from '../shared/guest_files.ts';
import { madeHere } from '../shared/made_here.ts';
import { numberMember, objectMember, optionalText, textMember } from '../shared/outputs.ts';
import { adoptServer, type MadeServer, removeServersOf } from '../shared/servers.ts';
import { COMPUTE_TIMEOUT_MS, RETRY, type TaskTools } from '../shared/tools.ts';
import { firstKeyVersion } from './declare_guest.ts';

export function createServer(tools: TaskTools): Step {
  const { compute } = tools;
  return {
    name: 'create_server',
    timeoutMs: COMPUTE_TIMEOUT_MS,
    retry: RETRY,
    async observe(context) {
      const server = await adoptServer(compute, madeServer(context), context.signal);
      // One that was made by half is finished by asking for it again.
      return server === undefined || server.status === 'BUILD' ? undefined : take(context, server);
    },
    async run(context) {
      const { instanceId, id: taskId } = context.task;
      await context.fenced((tx) => intendResource(tx, { token: context.token, kind: 'server', instanceId, taskId }));
      const account = newAccount(tools, context);
      // The broker may have lost it since it was made, one in memory with each restart.
      if (account !== undefined) await tools.accounts?.repair(instanceId, async () => account.password);
      const server = await compute.createServer(await serverRequest(tools, context), context.signal);
      return { done: await take(context, server) };
    },
    async undo(context) {
      // Without a row nothing was asked for: the row is written first.
      if ((await madeHere(tools.catalog, context)) !== undefined)
        await removeServersOf(tools, context, madeServer(context));
      const { instanceId, fence } = context.task;
      const values = { compute_instance_id: null, addresses: null, server_status: null };
      await context.fenced((tx) => writeInstance(tx, { instanceId, fence, values }));
    },
  };
}

async function serverRequest(tools: TaskTools, context: StepContext): Promise<CreateServer> {
  const { instanceId, projectId, params, fence } = context.task;
  const version = firstKeyVersion(context);
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
  return {
    clientToken: context.token,
    deploymentId: await tools.deploymentId(),
    instanceId,
    projectId,
    name: `trove-${instanceId}`,
    ...serverWish(context),
    volumeId: textMember(context.outputs['create_volume'], 'volume_id'),
    files: guestFiles(identity, tools.settings.agent),
  };
}

function madeServer({ token, outputs }: Pick<StepContext, 'token' | 'outputs'>): MadeServer {
  return { token, volumeId: optionalText(outputs['create_volume'], 'volume_id') };
}

/** What is asked of the server, and so of the host that its volume is made on. */
export function serverWish(
  context: Pick<StepContext, 'task'>,
): Pick<CreateServer, 'flavor' | 'imageId' | 'availabilityZone'> {
  const { params } = context.task;
  const availabilityZone = optionalText(params, 'availability_zone');
  return {
    flavor: flavorOf(context),
    imageId: textMember(params, 'image_id'),
    ...(availabilityZone !== undefined && { availabilityZone }),
  };
}

/** The flavor as it was when the instance was asked for. */
export function flavorOf(context: Pick<StepContext, 'task'>): Flavor {
  const flavor = objectMember(context.task.params, 'flavor');
  return {
    id: textMember(flavor, 'id'),
    name: textMember(flavor, 'name'),
    ram: numberMember(flavor, 'ram'),
    vcpus: numberMember(flavor, 'vcpus'),
    disk: numberMember(flavor, 'disk'),
    ephemeral: numberMember(flavor, 'ephemeral'),
  };
}

async function take(context: StepContext, server: Server): Promise<Json> {
  if (server.status === 'ERROR') throw new TroveError('COMPUTE_ERROR', 'The server could not be made.');
  const { instanceId, fence } = context.task;
  const values = {
    compute_instance_id: server.id,
    addresses: JSON.stringify(server.addresses),
    server_status: server.status,
  };
  await context.fenced(async (tx) => {
    await writeInstance(tx, { instanceId, fence, values });
    await markResource(tx, { token: context.token, state: 'live', externalId: server.id });
  });
  return { server_id: server.id };
}
