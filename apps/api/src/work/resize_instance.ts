import {
  type InstanceReading,
  isServerKnown,
  lockInstance,
  type QuotaChange,
  readInstance,
  reserveGrowth,
  setInstanceTask,
} from '@trove/catalog';
import { TroveError } from '@trove/common';
import type { Flavor } from '@trove/compute';
import type { Resize } from '@trove/contracts';
import { type FiledTask, fileTask, type JsonObject } from '@trove/tasks';
import type { FastifyRequest } from 'fastify';
import type { ApiDeps } from '../deps.ts';
import { unavailability } from '../status.ts';
import type { ApiWork } from './api_work.ts';
import { beingFiled, earlierTask, inFilingTransaction, repeatOf, type Transaction } from './filing.ts';
import { instanceNotFound, type instanceOfCaller } from './instance_of_caller.ts';
import { checkVolumeSize } from './instance_plan.ts';
import { TASK_PLANS } from './task_plans.ts';
import { busyText, unknownServer } from './upgrade_instance.ts';

type Instance = Awaited<ReturnType<typeof instanceOfCaller>>;

/** A resize that its instance's row lets through. */
interface ResizePlan {
  readonly kind: 'resize_flavor' | 'resize_volume';
  readonly params: JsonObject;
  /** What it takes more than the instance has; nothing where it takes less. */
  readonly growth: QuotaChange;
}

/** Files a change of an instance's flavor, or of its volume's size. Nothing has been touched when it rejects. */
export async function resizeInstance(
  { deps, choices }: ApiWork,
  request: FastifyRequest,
  instance: Instance,
  wanted: Resize,
): Promise<FiledTask> {
  const flavors = new Map((await choices.flavors()).map((flavor) => [flavor.id, flavor]));
  if (wanted.volume !== undefined) {
    const size = Number(wanted.volume.size);
    const plan = (row: InstanceReading): ResizePlan => planVolume(row, size, deps.settings.maxVolumeSize);
    return await fileResize(deps, request, instance, { plan, flavors });
  }
  if (wanted.flavorRef === undefined) throw new TroveError('BAD_REQUEST', "A resize needs 'flavorRef' or 'volume'.");
  // A URL is taken too: its last part is the id.
  const id = String(wanted.flavorRef).split('/').at(-1) ?? '';
  checkOther(instance, id);
  const flavor = await choices.flavor(id);
  const previous = await choices.flavor(instance.flavor_id ?? '');
  return await fileResize(deps, request, instance, { plan: (row) => planFlavor(row, flavor, previous), flavors });
}

async function fileResize(
  deps: ApiDeps,
  request: FastifyRequest,
  { id, tenant_id: projectId }: Instance,
  resize: { plan: (row: InstanceReading) => ResizePlan; flavors: ReadonlyMap<string, Flavor> },
): Promise<FiledTask> {
  const repeat = repeatOf(deps, request);
  return await inFilingTransaction(deps, async (tx) => {
    const earlier = await earlierTask(tx, projectId, repeat);
    if (earlier) return earlier;
    const row = await readInstance(tx, id);
    if (row === undefined) throw instanceNotFound(id);
    checkFree(deps, row);
    const { kind, params, growth } = resize.plan(row);
    const ramOf = (flavorId: string): number => resize.flavors.get(flavorId)?.ram ?? 0;
    const reservation = { projectId, instanceId: id, amounts: growth, defaults: deps.settings.quotas, ramOf };
    // Usages are locked before instances, everywhere: so the row is read before, and checked after.
    if (Object.values(growth).some((more) => more > 0)) await reserveGrowth(tx, reservation);
    await lockUnchanged(tx, row);
    const filed = await fileTask(tx, { ...TASK_PLANS[kind], ...repeat, instanceId: id, projectId, params });
    // The same request has ended on another connection meanwhile: nothing of this one may stay.
    if (filed.repeated) throw beingFiled();
    await setInstanceTask(tx, id, 'RESIZING');
    return filed;
  });
}

function checkFree(deps: ApiDeps, row: InstanceReading): void {
  if (row.compute_instance_id === null) throw new TroveError('UNPROCESSABLE', `Instance ${row.id} has no server.`);
  const reason = unavailability(row, deps.settings.heartbeatExpirySeconds);
  if (reason) throw new TroveError('UNPROCESSABLE', busyText(row.id, reason.kind, reason.status));
  if (row.cluster_id !== null) {
    throw new TroveError('NOT_IMPLEMENTED', 'A member of a cluster cannot be resized by itself.');
  }
}

async function lockUnchanged(tx: Transaction, row: InstanceReading): Promise<void> {
  const locked = await lockInstance(tx, row.id);
  if (locked === undefined) throw instanceNotFound(row.id);
  const unchanged =
    locked.task_id === row.task_id && locked.flavor_id === row.flavor_id && locked.volume_size === row.volume_size;
  if (!unchanged) throw beingFiled();
  if (!(await isServerKnown(tx, locked))) throw unknownServer(row.id);
}

function checkOther(row: Pick<InstanceReading, 'flavor_id'>, id: string): void {
  if (row.flavor_id !== id) return;
  throw new TroveError(
    'BAD_REQUEST',
    `The new flavor id must be different than the current flavor id of '${row.flavor_id}'.`,
  );
}

function planFlavor(row: InstanceReading, flavor: Flavor, previous: Flavor): ResizePlan {
  checkOther(row, flavor.id);
  // Resized by somebody else since it was looked up.
  if (row.flavor_id !== previous.id) throw new TroveError('UNPROCESSABLE', busyText(row.id, 'task', 'RESIZING'));
  if (row.volume_size !== null && flavor.ephemeral !== 0)
    throw new TroveError('NOT_IMPLEMENTED', 'Local storage support is not enabled.');
  const more = Math.max(0, flavor.ram - previous.ram);
  return {
    kind: 'resize_flavor',
    params: { flavor: { ...flavor }, previous_flavor: { ...previous } },
    growth: { ram: more },
  };
}

function planVolume(row: InstanceReading, size: number, maximum: number): ResizePlan {
  if (!row.volume_size) throw new TroveError('BAD_REQUEST', `Instance ${row.id} has no volume.`);
  if (size <= row.volume_size) {
    throw new TroveError(
      'BAD_REQUEST',
      `The new volume 'size' must be larger than the current volume size of '${row.volume_size}'.`,
    );
  }
  checkVolumeSize(size, maximum);
  if (row.replica_ids.length > 0) {
    throw new TroveError('NOT_IMPLEMENTED', 'The volume of an instance with replicas cannot be resized yet.');
  }
  return {
    kind: 'resize_volume',
    params: { volume_size: size, previous_size: row.volume_size },
    growth: { volumes: size - row.volume_size },
  };
}
