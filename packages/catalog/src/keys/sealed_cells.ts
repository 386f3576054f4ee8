import type { Secret } from '@trove/common';
import type { Knex } from 'knex';
import type { InstanceKeyRow, InstanceRow, KeyCheckRow, TaskRow, TaskStepRow } from '../tables.ts';
import { UNFINISHED_STATES } from '../task_states.ts';
import { isV2AtRest, openAsTrove, openAtRest, type Place, type Ring, restsUnder, sealAtRest } from './at_rest.ts';
import { openInstanceKey, openKeyRow, openUplink, sealInstanceKey, sealKeyText, sealUplink } from './guest_key.ts';
import { instanceRing, type KeyRings, uplinkRing } from './rings.ts';
import { openTaskSecret, sealTaskSecret, taskRing } from './task_secret.ts';

/** Everything that an operator's keys seal: the rings of one deployment. */
export interface AllRings extends KeyRings {
  /** `taskmanager_rpc_encr_key`. */
  readonly control: readonly Secret[];
}

/** The three settings whose keys things rest under. */
export type KeySetting = 'taskmanager_rpc_encr_key' | 'inst_rpc_key_encr_key' | 'inst_rpc_uplink_encr_key';

/** One column of one row that holds sealed text. */
export interface SealedCell {
  readonly setting: KeySetting;
  /** What rests there; more than one in a task's JSON. */
  readonly texts: readonly string[];
  /** Seals anew under the first key of the ring where it still holds what was read; 0 where it does not. Throws where it does not open. */
  reseal(knex: Knex, rings: AllRings): Promise<number>;
}

const BATCH = 100;

/** Every sealed cell of the catalog, in batches: instances, versions of their keys, tasks that have not ended, key checks. */
export async function* sealedCells(knex: Knex): AsyncGenerator<readonly SealedCell[]> {
  yield* paged((after) => instances(knex, after), instanceCell);
  yield* paged((after) => keyRows(knex, after), keyCells);
  yield* paged((after) => tasks(knex, after), taskCell);
  yield* paged((after) => steps(knex, after), stepCell);
  const checks = await knex<KeyCheckRow>('key_checks').select();
  if (checks.length > 0) yield checks.map(checkCell);
}

async function* paged<R>(
  read: (after: R | undefined) => Promise<R[]>,
  cells: (row: R) => readonly SealedCell[],
): AsyncGenerator<readonly SealedCell[]> {
  for (let after: R | undefined; ; ) {
    const rows = await read(after);
    if (rows.length > 0) yield rows.flatMap(cells);
    if (rows.length < BATCH) return;
    after = rows.at(-1);
  }
}

type Instance = Pick<InstanceRow, 'id' | 'encrypted_key' | 'rpc_policy'>;

async function instances(knex: Knex, after: Instance | undefined): Promise<Instance[]> {
  return await knex<InstanceRow>('instances')
    .where({ deleted: 0 })
    .whereNotNull('encrypted_key')
    .andWhere('id', '>', after?.id ?? '')
    .orderBy('id')
    .limit(BATCH)
    .select('id', 'encrypted_key', 'rpc_policy');
}

function instanceCell(row: Instance): SealedCell[] {
  const sealed = row.encrypted_key ?? '';
  const reseal = async (knex: Knex, rings: AllRings): Promise<number> => {
    const text = openInstanceKey(rings, { ...row, encrypted_key: sealed });
    const version = await knex<InstanceKeyRow>('instance_keys')
      .where({ instance_id: row.id, state: 'active' })
      .first('version');
    const key = { version: version?.version ?? 1, policy: row.rpc_policy, text };
    return await knex('instances')
      .where({ id: row.id, encrypted_key: sealed, deleted: 0, rpc_policy: row.rpc_policy })
      .update({ encrypted_key: sealInstanceKey(rings, row.id, key) });
  };
  return [{ setting: 'inst_rpc_key_encr_key', texts: [sealed], reseal }];
}

async function keyRows(knex: Knex, after: InstanceKeyRow | undefined): Promise<InstanceKeyRow[]> {
  const from = after ?? { instance_id: '', version: 0 };
  return await knex<InstanceKeyRow>('instance_keys')
    .whereNot({ state: 'retired' })
    .andWhereRaw('(instance_id > ? OR (instance_id = ? AND version > ?))', [
      from.instance_id,
      from.instance_id,
      from.version,
    ])
    .orderBy(['instance_id', 'version'])
    .limit(BATCH)
    .select();
}

function keyCells(row: InstanceKeyRow): SealedCell[] {
  const place = { instance_id: row.instance_id, version: row.version };
  const uplink: SealedCell = {
    setting: 'inst_rpc_uplink_encr_key',
    texts: [row.uplink],
    reseal: (knex, rings) =>
      knex('instance_keys')
        .where({ ...place, uplink: row.uplink })
        .update({ uplink: sealUplink(rings, row, openUplink(rings, row)) }),
  };
  // A key that Trove made rests in its instance's row alone.
  if (row.sealed_key === '') return [uplink];
  const reseal = async (knex: Knex, rings: AllRings): Promise<number> => {
    const sealed = sealKeyText(rings, row, openKeyRow(rings, row));
    return await knex('instance_keys')
      .where({ ...place, sealed_key: row.sealed_key })
      .update({ sealed_key: sealed });
  };
  return [{ setting: 'inst_rpc_key_encr_key', texts: [row.sealed_key], reseal }, uplink];
}

type Task = Pick<TaskRow, 'id' | 'params'>;

async function tasks(knex: Knex, after: Task | undefined): Promise<Task[]> {
  return await knex<TaskRow>('tasks')
    .whereIn('state', UNFINISHED_STATES)
    .andWhere('id', '>', after?.id ?? '')
    .orderBy('id')
    .limit(BATCH)
    .select('id', 'params');
}

function taskCell({ id, params }: Task): SealedCell[] {
  return secretsIn(params, id, (knex, text) => knex('tasks').where({ id, params }).update({ params: text }));
}

type StepOutput = Pick<TaskStepRow, 'task_id' | 'name' | 'output'>;

async function steps(knex: Knex, after: StepOutput | undefined): Promise<StepOutput[]> {
  const from = after ?? { task_id: '', name: '' };
  return await knex<TaskStepRow>('task_steps')
    .join('tasks', 'tasks.id', 'task_steps.task_id')
    .whereIn('tasks.state', UNFINISHED_STATES)
    .whereNotNull('task_steps.output')
    .andWhereRaw('(task_steps.task_id > ? OR (task_steps.task_id = ? AND task_steps.name > ?))', [
      from.task_id,
      from.task_id,
      from.name,
    ])
    .orderBy(['task_steps.task_id', 'task_steps.name'])
    .limit(BATCH)
    .select('task_steps.task_id', 'task_steps.name', 'task_steps.output');
}

function stepCell({ task_id, name, output }: StepOutput): SealedCell[] {
  const write = (knex: Knex, text: string): Promise<number> =>
    knex('task_steps').where({ task_id, name, output }).update({ output: text });
  return secretsIn(output ?? 'null', task_id, write);
}

/** The ring that is set by it. */
export function ringOf(setting: KeySetting, rings: AllRings): Ring {
  if (setting === 'taskmanager_rpc_encr_key') return taskRing(rings.control);
  return setting === 'inst_rpc_key_encr_key' ? instanceRing(rings) : uplinkRing(rings);
}

export function checkPlace(setting: string): Place {
  return { table: 'key_checks', column: 'sealed', rowId: setting, version: 1, policy: 2 };
}

function checkCell({ setting: name, sealed }: KeyCheckRow): SealedCell {
  const setting = name as KeySetting;
  const reseal = async (knex: Knex, rings: AllRings): Promise<number> => {
    const ring = ringOf(setting, rings);
    const again = sealAtRest(ring, checkPlace(setting), openAtRest(ring, checkPlace(setting), sealed));
    return await knex<KeyCheckRow>('key_checks').where({ setting, sealed }).update({ sealed: again });
  };
  return { setting, texts: [sealed], reseal };
}

/** A task's JSON holds its secrets as sealed texts among others. */
function secretsIn(json: string, taskId: string, write: (knex: Knex, json: string) => Promise<number>): SealedCell[] {
  const texts: string[] = [];
  const walk = (resealed: (text: string) => string): string =>
    JSON.stringify(
      JSON.parse(json, (_name, value: unknown) =>
        typeof value === 'string' && restsUnder(value) !== undefined ? resealed(value) : value,
      ),
    );
  walk((text) => {
    texts.push(text);
    return text;
  });
  if (texts.length === 0) return [];
  const reseal = (knex: Knex, { control }: AllRings): Promise<number> =>
    write(
      knex,
      walk((text) => sealTaskSecret(control, taskId, openTaskSecret(control, taskId, text))),
    );
  return [{ setting: 'taskmanager_rpc_encr_key', texts, reseal }];
}

/** Whether a text of Trove's own form is as this release would write it: that form does not tell its key. */
export function isTroveFormUnderFirst(rings: KeyRings, text: string): boolean {
  const first = instanceRing(rings).slice(0, 1);
  if (isV2AtRest(text) || rings.format !== 'v1') return false;
  try {
    openAsTrove(first, text);
    return true;
  } catch {
    return false;
  }
}
