import { intendResource, markResource, writeInstance } from '@trove/catalog';
import type { Json, Step, StepContext } from '@trove/tasks';
import { madeHere } from '../shared/made_here.ts';
import { numberMember } from '../shared/outputs.ts';
import { COMPUTE_TIMEOUT_MS, RETRY, type TaskTools } from '../shared/tools.ts';
import { serverWish } from './create_server.ts';

export function createVolume(tools: TaskTools): Step {
  const { compute } = tools;
  return {
    name: 'create_volume',
    timeoutMs: COMPUTE_TIMEOUT_MS,
    retry: RETRY,
    async observe(context) {
      const volume = await compute.findVolume(context.token, await chosenBefore(tools, context));
      return volume === undefined ? undefined : take(context, volume.volumeId);
    },
    async run(context) {
      const { instanceId, id: taskId, params } = context.task;
      await context.fenced((tx) => intendResource(tx, { token: context.token, kind: 'volume', instanceId, taskId }));
      const deploymentId = await tools.deploymentId();
      const size = numberMember(params, 'volume_size');
      const server = serverWish(context);
      const request = { clientToken: context.token, deploymentId, instanceId, size, server };
      const before = await chosenBefore(tools, context);
      const onChosen = (volumeId: string): Promise<void> => writeChoice(context, volumeId);
      const { volumeId } = await compute.createVolume({ ...request, volumeId: before, onChosen }, context.signal);
      return { done: await take(context, volumeId) };
    },
    async undo(context) {
      const made = await madeHere(tools.catalog, context);
      // Every host is asked only where no id says which one, as of an earlier release. Without a row nothing was asked for: the row is written first.
      const volumeId = made && (made.external_id ?? (await compute.findVolume(context.token))?.volumeId);
      if (volumeId !== undefined) await compute.deleteVolume(volumeId, context.signal);
      const { instanceId, fence } = context.task;
      await context.fenced(async (tx) => {
        await writeInstance(tx, { instanceId, fence, values: { volume_id: null } });
        await markResource(tx, { token: context.token, state: 'gone' });
      });
    },
  };
}

/** The id that the volume was to have at an earlier try. */
async function chosenBefore({ catalog }: TaskTools, context: StepContext): Promise<string | undefined> {
  return (await madeHere(catalog, context))?.external_id ?? undefined;
}

/** Before the host is asked: who undoes or resumes this asks that host and no other. */
async function writeChoice(context: StepContext, volumeId: string): Promise<void> {
  await context.fenced((tx) => markResource(tx, { token: context.token, state: 'intent', externalId: volumeId }));
}

async function take(context: StepContext, volumeId: string): Promise<Json> {
  const { instanceId, fence } = context.task;
  await context.fenced(async (tx) => {
    await writeInstance(tx, { instanceId, fence, values: { volume_id: volumeId } });
    await markResource(tx, { token: context.token, state: 'live', externalId: volumeId });
  });
  return { volume_id: volumeId };
}
