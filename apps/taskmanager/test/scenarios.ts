import { type QuotaAmounts, reserveGrowth, withTransaction } from '@trove/catalog';
import { newUuid, TroveError, uuidV5 } from '@trove/common';
import type { ComputeDriver } from '@trove/compute';
import { SERVICE_STATUSES, TASK_STATUSES } from '@trove/contracts';
import type { JsonObject } from '@trove/tasks';
import { file, fileCreate, type House, UPGRADE } from './house.ts';
import type { Filed, Scenario } from './scenario.ts';
import { FLAVOR, LARGER, type World } from './world.ts';

function onServing(kind: string, params?: JsonObject): Scenario['file'] {
  return async (house, serving) => {
    const id = await serving();
    return { id, taskId: await file(house, kind, id, params) };
  };
}

/** As the api does: what it takes more is reserved first. */
function onServingWith(amounts: Partial<QuotaAmounts>, kind: string, params: JsonObject): Scenario['file'] {
  const filed = onServing(kind, params);
  return (house, serving) =>
    filed(house, async () => {
      const instanceId = await serving();
      const request = {
        projectId: house.project,
        instanceId,
        amounts: { instances: 0, ram: 0, volumes: 0, ...amounts },
        defaults: { instances: -1, ram: -1, volumes: -1 },
        ramOf: () => FLAVOR.ram,
      };
      await withTransaction(house.catalog, (tx) => reserveGrowth(tx, request));
      return instanceId;
    });
}

type Conditions = NonNullable<Scenario['conditions']>;

function refused(method: string, words: string): Conditions {
  return ({ guestFaults }) => void guestFaults.fail.set(method, words);
}

/** Nobody waits for an answer that takes so long: the task is put down, and woken by it. */
const slow: Conditions = ({ guestFaults }) => {
  for (const method of ['pre_upgrade', 'post_upgrade', 'restart']) guestFaults.takes.set(method, 80);
};

/** The driver fails for good, however often it is asked; `only`: for this flavor or image. */
function broken(call: keyof ComputeDriver, only?: string): Conditions {
  const error = new TroveError('COMPUTE_ERROR', `${call} is broken`);
  return ({ scripted }: World) => void scripted.set(call, { times: Infinity, error, ...(only && { only }) });
}

export const aDelete = (house: House, { id }: Filed): Promise<unknown> => file(house, 'delete_instance', id);
const itsDeadline = ({ catalog }: House, { taskId }: Filed): Promise<unknown> =>
  catalog.knex('tasks').where({ id: taskId }).update({ deadline: 1 });

/** Its deadline passes while it waits for a report. */
async function silenceTooLong(house: House, filed: Filed): Promise<void> {
  const { code, description } = SERVICE_STATUSES.PAUSED;
  const own = house.catalog.knex('service_statuses').where({ instance_id: filed.id });
  await own.update({ status_id: code, status_description: description });
  await itsDeadline(house, filed);
}

/** Its deadline passes while the guest has no queue, until a round gives it another. */
async function unreachableTooLong(house: House, filed: Filed): Promise<void> {
  await house.admin.deleteQueue(`guest.${filed.id}`);
  await itsDeadline(house, filed);
}

type Other = Pick<Scenario, 'name' | 'file'> & Partial<Scenario>;

const create = (other: Partial<Scenario> & Pick<Scenario, 'name'>): Scenario => ({
  ...{ kind: 'create_instance', ends: 'done', leaves: 'serving', file: (house) => fileCreate(house) },
  ...other,
});
const unbuilt = { ends: 'failed', leaves: 'row' } as const;
const cancelled = { ends: 'cancelled', leaves: 'deleted' } as const;
const failed = { ends: 'failed' } as const;

const CREATES: readonly Scenario[] = [
  create({ name: 'create' }),
  create({ name: 'create_refused', ...unbuilt, conditions: refused('prepare', 'initdb failed') }),
  create({ name: 'create_without_volume', ...unbuilt, conditions: broken('createVolume') }),
  create({ name: 'create_without_server', ...unbuilt, conditions: broken('createServer') }),
  create({ name: 'create_server_lost', ...unbuilt, conditions: broken('getServer') }),
  create({ name: 'create_too_late', ...unbuilt, meanwhile: { at: 'agree_key after_run', act: itsDeadline } }),
  create({ name: 'create_cancelled', ...cancelled, meanwhile: { at: 'prepare before_run', act: aDelete } }),
  create({ name: 'create_cancelled_early', ...cancelled, meanwhile: { at: 'create_volume before_run', act: aDelete } }),
  create({ name: 'create_clear', clear: 'always' }),
  create({ name: 'create_clear_refused', clear: 'always', ...unbuilt, conditions: refused('prepare', 'no disk') }),
];

const upgrade = (other: Partial<Scenario> & Pick<Scenario, 'name'>): Scenario => ({
  ...{ kind: 'upgrade_instance', ends: 'done', leaves: 'serving', file: onServing('upgrade_instance', UPGRADE) },
  ...other,
});
/** The new server's database neither comes up nor can be asked to. */
const unreadable: Conditions = ({ guestFaults }) => {
  for (const method of ['start', 'post_upgrade {"stopped":true}'])
    guestFaults.fail.set(method, 'cannot read this volume');
};
const slowAndUnreadable: Conditions = (world) => {
  slow(world);
  unreadable(world);
};

const UPGRADES: readonly Scenario[] = [
  upgrade({ name: 'upgrade' }),
  upgrade({ name: 'upgrade_refused', ...failed, conditions: unreadable }),
  upgrade({ name: 'upgrade_without_snapshot', ...failed, conditions: broken('snapshotVolume') }),
  upgrade({ name: 'upgrade_without_rebuild', ...failed, conditions: broken('rebuildServer', 'image-2') }),
  upgrade({ name: 'upgrade_cancelled', ...cancelled, meanwhile: { at: 'prove_key after_run', act: aDelete } }),
  upgrade({ name: 'upgrade_keeps_snapshot', owes: 'snapshot', conditions: broken('deleteSnapshot') }),
  upgrade({ name: 'upgrade_clear', clear: 'before' }),
  upgrade({ name: 'upgrade_clear_refused', clear: 'before', ...failed, conditions: unreadable }),
  upgrade({ name: 'upgrade_stays_clear', clear: 'always' }),
  upgrade({ name: 'upgrade_clear_slow', clear: 'always', ...failed, conditions: slowAndUnreadable }),
];

const rebuild = (other: Partial<Scenario> & Pick<Scenario, 'name'>): Scenario => ({
  ...{ kind: 'rebuild_instance', ends: 'done', leaves: 'serving', forgotten: true, file: onOneThatGotAKeySince },
  ...other,
});

const REBUILDS: readonly Scenario[] = [
  rebuild({ name: 'rebuild' }),
  rebuild({ name: 'rebuild_refused', ...failed, conditions: refused('post_upgrade {}', 'cannot read this volume') }),
  rebuild({ name: 'rebuild_keeps_snapshot', owes: 'snapshot', conditions: broken('deleteSnapshot') }),
];

const restart = (other: Partial<Scenario> & Pick<Scenario, 'name'>): Scenario => ({
  ...{ kind: 'restart_instance', ends: 'done', leaves: 'serving', file: onServing('restart_instance') },
  ...other,
});

const RESTARTS: readonly Scenario[] = [
  restart({ name: 'restart' }),
  restart({ name: 'restart_refused', ...failed, conditions: refused('restart', 'it does not stop') }),
  restart({ name: 'restart_too_late', ...failed, meanwhile: { at: 'await_report before_run', act: silenceTooLong } }),
  restart({ name: 'restart_clear', clear: 'before' }),
  restart({ name: 'restart_clear_slow', clear: 'before', conditions: slow }),
];

const toLarger = { flavor: { ...LARGER }, previous_flavor: { ...FLAVOR } };
const resizeFlavor = (other: Partial<Scenario> & Pick<Scenario, 'name'>): Scenario => ({
  ...{ kind: 'resize_flavor', ends: 'done', leaves: 'serving' },
  file: onServingWith({ ram: LARGER.ram - FLAVOR.ram }, 'resize_flavor', toLarger),
  ...other,
});
const resizeVolume = (other: Partial<Scenario> & Pick<Scenario, 'name'>): Scenario => ({
  ...{ kind: 'resize_volume', ends: 'done', leaves: 'serving' },
  file: onServingWith({ volumes: 2 }, 'resize_volume', { volume_size: 5, previous_size: 3 }),
  ...other,
});

const RESIZES: readonly Scenario[] = [
  resizeFlavor({ name: 'resize_flavor' }),
  resizeFlavor({ name: 'resize_flavor_refused', ...failed, conditions: broken('resizeServer', LARGER.id) }),
  resizeFlavor({
    name: 'resize_flavor_too_late',
    ...failed,
    meanwhile: { at: 'await_serving before_run', act: silenceTooLong },
  }),
  resizeFlavor({
    name: 'resize_flavor_cancelled',
    ...cancelled,
    meanwhile: { at: 'await_agent before_run', act: aDelete },
  }),
  resizeFlavor({ name: 'resize_flavor_clear', clear: 'before' }),
  resizeVolume({ name: 'resize_volume' }),
  resizeVolume({ name: 'resize_volume_refused', ...failed, conditions: broken('extendVolume') }),
];

const other = (kind: string, { leaves = 'serving', ends = 'done', ...rest }: Other): Scenario => ({
  ...{ kind, leaves, ends },
  ...rest,
});

const OTHERS: readonly Scenario[] = [
  other('delete_instance', { name: 'delete', leaves: 'deleted', file: onServing('delete_instance') }),
  other('delete_instance', {
    ...{ name: 'delete_clear', leaves: 'deleted', clear: 'before' },
    file: onServing('delete_instance'),
  }),
  other('rotate_key', { name: 'rotate_key', file: onServing('rotate_key') }),
  other('rotate_key', {
    ...{ name: 'rotate_key_too_late', ...failed, meanwhile: { at: 'agree_key after_run', act: itsDeadline } },
    file: onServing('rotate_key'),
  }),
  other('rotate_key', {
    ...{
      name: 'rotate_key_proven_too_late',
      ...failed,
      owes: 'password',
      meanwhile: { at: 'adopt_key before_run', act: itsDeadline },
    },
    file: onServing('rotate_key'),
  }),
  other('rotate_key', {
    ...{ name: 'rotate_key_unproven', ...failed, meanwhile: { at: 'prove_key before_run', act: unreachableTooLong } },
    file: onServing('rotate_key'),
  }),
  other('rotate_key', { name: 'rotate_key_without_key', ...failed, clear: 'before', file: onServing('rotate_key') }),
  other('reconcile_instance', { name: 'reconcile', file: onServing('reconcile_instance', { findings: [] }) }),
  other('reconcile_instance', { name: 'reconcile_removes', file: onOneWithTooMuch }),
  other('reconcile_instance', { name: 'reconcile_status', file: onOneLeftInTheMiddle }),
];

/** The catalog is put back to when the instance was in clear. Its guest has been asked in vain for long: nobody waits for that here. */
async function onOneThatGotAKeySince(house: House, serving: () => Promise<string>): Promise<Filed> {
  const id = await serving();
  await forgetKey(house, id);
  const taskId = await file(house, 'rebuild_instance', id, UPGRADE);
  const ago = (seconds: number): number => (Date.now() - seconds * 1000) * 1000;
  const asked = { progress: null, noted: { first_asked: ago(100), last_asked: ago(20) } };
  await house.catalog.knex('task_steps').insert({
    ...{ task_id: taskId, name: 'require_silence', state: 'intent', attempts: 0, started: ago(100) },
    ...{ token: uuidV5(taskId, 'require_silence'), output: JSON.stringify(asked) },
  });
  return { id, taskId };
}

/** As a catalog has it that was restored from before the instance's first upgrade. */
export async function forgetKey({ catalog: { knex } }: House, instanceId: string): Promise<void> {
  for (const table of ['instance_keys', 'keys_owed', 'instance_reports'])
    await knex(table).where({ instance_id: instanceId }).delete();
  await knex('resources').where({ instance_id: instanceId, kind: 'broker_account' }).delete();
  await knex('instances').where({ id: instanceId }).update({ rpc_policy: 0, encrypted_key: null });
}

/** Two volumes that nobody wants: one whose row says that it is gone, and one whose maker never said that it is there. */
async function onOneWithTooMuch(house: House, serving: () => Promise<string>): Promise<Filed> {
  const instanceId = await serving();
  const { deployment_id: deploymentId } = await house.catalog.knex('deployment').first('deployment_id');
  const findings: string[] = [];
  for (const [state, kind] of [
    ['gone', 'unowned'],
    ['intent', 'unsettled'],
  ] as const) {
    const token = newUuid();
    const request = { clientToken: token, deploymentId, instanceId, size: 1 };
    const { volumeId } = await house.world.createVolume(request, new AbortController().signal);
    await house.catalog.knex('resources').insert({ token, kind: 'volume', instance_id: instanceId, state });
    findings.push(kind === 'unowned' ? `unowned volume:${volumeId}` : `unsettled ${token}`);
  }
  return { id: instanceId, taskId: await file(house, 'reconcile_instance', instanceId, { findings }) };
}

async function onOneLeftInTheMiddle(house: House, serving: () => Promise<string>): Promise<Filed> {
  const id = await serving();
  await house.catalog.knex('instances').where({ id }).update({ task_id: TASK_STATUSES.REBOOTING.code });
  return { id, taskId: await file(house, 'reconcile_instance', id, { findings: [`status ${id}`] }) };
}

/** Every way of every kind. A kind or a step that is new here has its line here, and its journals recorded. */
export const SCENARIOS: readonly Scenario[] = [
  ...CREATES,
  ...UPGRADES,
  ...REBUILDS,
  ...RESTARTS,
  ...RESIZES,
  ...OTHERS,
];
