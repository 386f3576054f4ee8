import type { Catalog, QuotaAmounts } from '@trove/catalog';
import type { Logger, Metrics, Secret, TlsServerOptions } from '@trove/common';
import type { ComputeDriver } from '@trove/compute';
import type { Bus, TaskmanagerClient } from '@trove/crypto-rpc';
import type { Identity } from '@trove/identity';

/** What the api asks of compute: what there is to choose from. It never touches a server. */
export type ComputeCatalog = Pick<ComputeDriver, 'flavors' | 'images'>;

export interface ApiSettings {
  /** The one region there is; a request for another is refused. */
  readonly regionName: string;
  /** Items of a page at most. */
  readonly pageSizes: { readonly instances: number; readonly databases: number; readonly users: number };
  /** After how many seconds without a report a guest counts as lost. */
  readonly heartbeatExpirySeconds: number;
  /** How long a guest may take to answer, in milliseconds; the api waits 2 s longer. */
  readonly guestPatienceMs: { readonly low: number; readonly high: number };
  /** GB. */
  readonly maxVolumeSize: number;
  /** Of projects that have no limits of their own. */
  readonly quotas: QuotaAmounts;
  /** Name or id of the datastore of a create that names none. */
  readonly defaultDatastore?: string | undefined;
  /** Base of the links in `GET /`; default: the request's own host. */
  readonly publicEndpoint?: string | undefined;
}

/** All that the api works with. Whoever opened it closes it, after the api. */
export interface ApiDeps {
  readonly settings: ApiSettings;
  readonly catalog: Catalog;
  readonly identity: Identity;
  readonly compute: ComputeCatalog;
  readonly taskmanager: Pick<TaskmanagerClient, 'call' | 'cast'>;
  /** Asked for its state alone. */
  readonly bus: Pick<Bus, 'state'>;
  /** The ring of `taskmanager_rpc_encr_key`: seals passwords in tasks. Empty: they rest in clear. */
  readonly controlRing: readonly Secret[];
  readonly logger: Logger;
  /** Default: one that nobody reads. */
  readonly metrics?: Metrics;
  /** Absent: it listens in clear. */
  readonly tls?: TlsServerOptions | undefined;
}
