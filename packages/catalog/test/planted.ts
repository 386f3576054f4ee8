import { newUuid, Secret } from '@trove/common';
import { TASK_STATUSES } from '@trove/contracts';
import type { BrokerReading, OutsideThing } from '../src/checks/outside.ts';
import { checkValueOf, sealInstanceKey, sealKeyRow, uplinkOf } from '../src/keys/guest_key.ts';
import type { KeyRings } from '../src/keys/rings.ts';
import type { InstanceRow, ResourceRow, TaskRow } from '../src/tables.ts';
import { type TestCatalog, testCatalog } from '../src/testing.ts';

export const PROJECT = 'p1';
export const FLAVOR = { id: '25', ram: 512 };
export const RINGS: KeyRings = { instance: [new Secret('kek-of-this-test')], uplink: [] };
export const KI = new Secret('Ki0000000000000000000000000000aa');

const TABLES = [
  'instances',
  'tasks',
  'resources',
  'instance_keys',
  'instance_reports',
  'instance_faults',
  'quota_usages',
  'reservations',
];

/** A catalog and what is outside of it, to plant things in. */
export class Planted {
  readonly catalog: TestCatalog;
  readonly deploymentId: string;
  things: OutsideThing[] = [];
  broker: BrokerReading = { accounts: [], marks: new Map(), queues: [] };

  constructor(catalog: TestCatalog, deploymentId: string) {
    this.catalog = catalog;
    this.deploymentId = deploymentId;
  }

  static async open(dialect: 'mysql' | 'sqlite'): Promise<Planted> {
    const catalog = await testCatalog(dialect);
    const { deployment_id } = await catalog.knex('deployment').first('deployment_id');
    return new Planted(catalog, deployment_id);
  }

  async clear(): Promise<void> {
    for (const table of TABLES) await this.catalog.knex(table).delete();
    this.things = [];
    this.broker = { accounts: [], marks: new Map(), queues: [] };
  }

  thing(kind: OutsideThing['kind'], instanceId: string, changes: Partial<OutsideThing> = {}): OutsideThing {
    const { deploymentId } = this;
    const made = { kind, id: newUuid(), clientToken: `${kind}-${instanceId}`, deploymentId, instanceId, ...changes };
    this.things.push(made);
    return made;
  }

  async resource(of: OutsideThing, changes: Partial<ResourceRow> = {}): Promise<void> {
    const { clientToken: token, kind, id: external_id, instanceId: instance_id } = of;
    await this.catalog.knex('resources').insert({ token, kind, external_id, instance_id, state: 'live', ...changes });
  }

  async task(instanceId: string, changes: Partial<TaskRow> = {}): Promise<string> {
    const now = Date.now() * 1000;
    const row = { id: newUuid(), kind: 'restart_instance', instance_id: instanceId, project_id: PROJECT, params: '{}' };
    const times = { deadline: now + 600_000_000, created: now, updated: now };
    await this.catalog.knex('tasks').insert({ ...row, ...times, state: 'running', code_version: 1, ...changes });
    return changes.id ?? row.id;
  }

  /** Gives the instance's slot to this task. */
  async slot(instanceId: string, taskId: string): Promise<void> {
    await this.catalog.knex('instances').where({ id: instanceId }).update({ active_task_id: taskId });
  }

  /** At rest, with a server and a volume that are there. */
  async instance(changes: Partial<InstanceRow> = {}): Promise<{ id: string; server: OutsideThing }> {
    const id = changes.id ?? newUuid();
    const [server, volume] = [this.thing('server', id), this.thing('volume', id)];
    await this.resource(server);
    await this.resource(volume);
    await this.catalog.knex('instances').insert({
      ...{ id, tenant_id: PROJECT, deleted: 0, task_id: TASK_STATUSES.NONE.code, server_status: 'ACTIVE' },
      ...{ compute_instance_id: server.id, volume_id: volume.id, volume_size: 3, flavor_id: FLAVOR.id, rpc_policy: 0 },
      ...changes,
    });
    return { id, server };
  }

  async charge(amounts: Record<string, number>, reserved = 0): Promise<void> {
    for (const [resource, in_use] of Object.entries(amounts)) {
      const row = { id: newUuid(), tenant_id: PROJECT, resource, in_use, reserved };
      await this.catalog.knex('quota_usages').insert(row);
    }
  }

  /** Gives the instance the key `KI`, with `text` as version 1 beside it. */
  async key(id: string, text: Secret = KI): Promise<void> {
    const row = { instance_id: id, version: 1, policy: 2 };
    const sealed = sealKeyRow(RINGS, row, { instanceKey: text, uplinkKey: uplinkOf(text, 2) });
    await this.catalog.knex('instance_keys').insert({ ...row, ...sealed, state: 'active', kcv: checkValueOf(text) });
    const encrypted_key = sealInstanceKey(RINGS, id, { version: 1, policy: 2, text: KI });
    await this.catalog.knex('instances').where({ id }).update({ encrypted_key, rpc_policy: 2 });
  }
}
