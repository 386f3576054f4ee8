import {
  checkInvariants,
  type InstanceRow,
  type ReconcileState,
  type ResourceRow,
  readReconcileState,
} from '@trove/catalog';
import type { TestCatalog } from '@trove/catalog/testing';
import { type Clock, createMetrics, type Logger, newUuid, silentLogger, systemClock } from '@trove/common';
import type { ReconcileLimits } from '../src/reconcile/plan.ts';
import { createReconciler } from '../src/reconcile/reconciler.ts';
import { ended, fileCreate, type House, openHouse, openTestCatalog } from './house.ts';

const AT_ONCE: ReconcileLimits = { graceMs: 0, maxActions: 100, dryRun: false };
export const STAYS = new AbortController().signal;
let owners = 0;

/** A house with a catalog of its own, in which things are planted and reconcilers run. */
export class ReconciledHouse {
  readonly catalog: TestCatalog;
  readonly house: House;
  readonly deploymentId: string;

  private constructor(catalog: TestCatalog, deploymentId: string) {
    this.catalog = catalog;
    this.deploymentId = deploymentId;
    this.house = openHouse(catalog);
  }

  static async open(dialect: 'mysql' | 'sqlite'): Promise<ReconciledHouse> {
    const catalog = await openTestCatalog(dialect);
    const { deployment_id } = await catalog.knex('deployment').first('deployment_id');
    return new ReconciledHouse(catalog, deployment_id);
  }

  get volumes(): ReadonlySet<string> {
    return new Set(this.house.world.volumes.keys());
  }

  reconciler(
    limits: Partial<ReconcileLimits> = {},
    { logger = silentLogger, clock = systemClock }: { logger?: Logger; clock?: Clock } = {},
  ): (signal: AbortSignal) => Promise<void> {
    const { catalog, house, deploymentId } = this;
    owners += 1;
    return createReconciler({
      ...{
        catalog,
        compute: house.world,
        accounts: house.accounts,
        deploymentId: async () => deploymentId,
        everyMs: 0,
      },
      ...{ owner: `reconciler ${owners}`, limits: { ...AT_ONCE, ...limits } },
      ...{ clock, logger, metrics: createMetrics() },
    });
  }

  run(limits: Partial<ReconcileLimits> = {}): Promise<void> {
    return this.reconciler(limits)(STAYS);
  }

  /** Runs, and says which warnings it gave. */
  async warnings(clock: Clock = systemClock): Promise<string[]> {
    const warned: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (message) => warned.push(message) };
    await this.reconciler({}, { logger, clock })(STAYS);
    return warned;
  }

  /** Runs, and waits for the task that it has filed for this instance. */
  async settled(id: string): Promise<void> {
    await this.run();
    const filed = { instance_id: id, kind: 'reconcile_instance' };
    const task = await this.catalog.knex('tasks').where(filed).orderBy('created', 'desc').first('id');
    const { state, error } = await ended(this.house, task.id);
    if (state !== 'done') throw new Error(`the task ended ${state}: ${error}`);
  }

  state(): Promise<ReconcileState> {
    return readReconcileState(this.catalog.knex);
  }

  async found(): Promise<string[]> {
    return (await this.state()).findings.map((finding) => finding.kind).toSorted();
  }

  /** An instance that was built, with a taskmanager that goes on working. */
  async built(): Promise<string> {
    const { id, taskId } = await fileCreate(this.house);
    await this.house.taskmanager();
    const { state } = await ended(this.house, taskId);
    if (state !== 'done') throw new Error(`the build ended ${state}`);
    return id;
  }

  async deletedInstance(): Promise<string> {
    const id = newUuid();
    const row = { id, deleted: 1, tenant_id: this.house.project, rpc_policy: 0 };
    await this.catalog.knex('instances').insert(row);
    return id;
  }

  async change(id: string, columns: Partial<InstanceRow>): Promise<void> {
    await this.catalog.knex('instances').where({ id }).update(columns);
  }

  /** A volume that carries the deployment's id; `row`: what the catalog says of it. */
  async volume(instanceId: string, row?: ResourceRow['state'], token: string = newUuid()): Promise<string> {
    const request = { clientToken: token, deploymentId: this.deploymentId, instanceId, size: 1 };
    const { volumeId } = await this.house.world.createVolume(request, STAYS);
    if (row !== undefined) await this.resource(instanceId, { token, state: row, external_id: volumeId });
    return volumeId;
  }

  async resource(instance_id: string, changes: Partial<ResourceRow>): Promise<string> {
    const token = changes.token ?? newUuid();
    await this.catalog.knex('resources').insert({ token, kind: 'volume', instance_id, state: 'intent', ...changes });
    return token;
  }

  async stateOf(token: string): Promise<string> {
    return (await this.catalog.knex<ResourceRow>('resources').where({ token }).first('state'))?.state ?? 'none';
  }

  /** What does not hold, in words. */
  async invariants(): Promise<string[]> {
    const report = await checkInvariants({
      catalog: this.catalog,
      things: { read: () => this.house.world.listOwned(this.deploymentId) },
      flavors: { read: () => this.house.world.flavors() },
      broker: { notChecked: 'in memory' },
      rings: this.house.rings,
      logs: { files: [], secrets: [] },
      effects: { notChecked: 'not counted' },
      settleMs: 0,
    });
    return report.results.flatMap((result) => result.findings.map((finding) => finding.what));
  }

  async dispose(): Promise<void> {
    await this.house.dispose();
    await this.catalog.dispose();
  }
}
