import type { Dialect } from '@trove/catalog';
import { type TestCatalog, testCatalog } from '@trove/catalog/testing';
import { silentLogger } from '@trove/common';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { createTaskEngine, type TaskEngine, type TaskEngineOptions, type TaskKind } from '../src/index.ts';
import { fileBuild, newInstance } from './house.ts';
import { type BuildPlan, fixtureKinds } from './kinds.ts';
import { MemoryWorld } from './world.ts';

/** A catalog, a world and engines in this process, for one `describe`: the catalog lasts for it, engines for one test. */
export class Workshop {
  readonly world = new MemoryWorld();
  readonly kinds: readonly TaskKind[] = fixtureKinds(this.world);
  #catalog: TestCatalog | undefined;
  #engines: TaskEngine[] = [];

  constructor(dialect: Dialect) {
    beforeAll(async () => {
      this.#catalog = await testCatalog(dialect);
    });
    afterEach(() => this.closeEngines());
    afterAll(() => this.#catalog?.dispose());
  }

  get catalog(): TestCatalog {
    if (this.#catalog === undefined) throw new Error('the catalog is not open yet');
    return this.#catalog;
  }

  /** A started engine; another worker each time. */
  engine(more: Partial<TaskEngineOptions> = {}): TaskEngine {
    const engine = createTaskEngine({
      catalog: this.catalog,
      kinds: this.kinds,
      owner: `worker ${this.#engines.length}`,
      logger: silentLogger,
      pollMs: { min: 20, max: 40 },
      leaseMs: 3000,
      ...more,
    });
    this.#engines.push(engine);
    engine.start();
    return engine;
  }

  async closeEngines(): Promise<void> {
    await Promise.all(this.#engines.map((engine) => engine.close()));
    this.#engines = [];
  }

  async build(plan: BuildPlan = {}): Promise<{ instanceId: string; taskId: string }> {
    const instanceId = await newInstance(this.catalog);
    const { taskId } = await fileBuild(this.catalog, instanceId, plan);
    return { instanceId, taskId };
  }
}
