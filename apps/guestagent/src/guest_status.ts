import { SERVICE_STATUSES, type ServiceStatusName } from '@trove/contracts';
import type { Datastore } from '@trove/datastores';
import type { PrepareMarkers } from './state/prepare_markers.ts';

const OF_DATABASE = {
  healthy: 'HEALTHY',
  starting: 'RUNNING',
  stopped: 'SHUTDOWN',
  broken: 'CRASHED',
} as const satisfies Record<Awaited<ReturnType<Datastore['status']>>, ServiceStatusName>;

/** What the agent says of its database: how far `prepare` is, what is being done to it, else what it answers itself. */
export class GuestStatus {
  readonly #datastore: Datastore;
  readonly #markers: PrepareMarkers;
  #doing: ServiceStatusName | undefined;

  constructor(datastore: Datastore, markers: PrepareMarkers) {
    this.#datastore = datastore;
    this.#markers = markers;
  }

  /** Trove's text of the status; undefined before `prepare` has begun: there is nothing to report yet. */
  async describe(): Promise<string | undefined> {
    const name = await this.#name();
    return name === undefined ? undefined : SERVICE_STATUSES[name].description;
  }

  /** While the work runs, the status is this one. */
  async during<T>(status: ServiceStatusName, work: () => Promise<T>): Promise<T> {
    this.#doing = status;
    try {
      return await work();
    } finally {
      this.#doing = undefined;
    }
  }

  async #name(): Promise<ServiceStatusName | undefined> {
    const prepare = this.#markers.state();
    if (prepare === 'none') return undefined;
    if (prepare === 'begun') return 'BUILDING';
    if (prepare === 'failed') return 'FAILED';
    return this.#doing ?? OF_DATABASE[await this.#datastore.status()];
  }
}
