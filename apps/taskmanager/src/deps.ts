import type { Catalog, KeyRings } from '@trove/catalog';
import type { Clock, Logger, Metrics, Secret } from '@trove/common';
import type { ComputeDriver } from '@trove/compute';
import type { Bus, ControlKeys } from '@trove/crypto-rpc';
import type { TaskEngineOptions } from '@trove/tasks';
import type { BrokerAccounts } from './broker/broker_accounts.ts';
import type { ReconcileSettings, TaskmanagerSettings } from './options.ts';

/** All that a taskmanager works with. Whoever opened it closes it, after the taskmanager. */
export interface TaskmanagerDeps {
  readonly catalog: Catalog;
  readonly sealedBus: Bus;
  /** The same object where both are one vhost. */
  readonly legacyBus: Bus;
  readonly controlKeys: ControlKeys;
  readonly keyRings: KeyRings;
  readonly compute: ComputeDriver;
  /** Undefined: sealed guests share one account. Closed by whoever opened it, after the taskmanager. */
  readonly accounts?: BrokerAccounts | undefined;
  readonly settings: TaskmanagerSettings;
  /** Absent: this one never compares the catalog with the world. */
  readonly reconcile?: ReconcileSettings;
  /** The bus as guests reach it: what stands in their file. */
  readonly guestTransport: {
    readonly clear: Secret;
    readonly sealed: Secret;
    /** The authorities, in PEM, that guests check the broker's certificate against. */
    readonly authority?: string | undefined;
  };
  readonly logger: Logger;
  /** Default: one that nobody reads. */
  readonly metrics?: Metrics;
  readonly clock?: Clock;
  /** Ends the service, where it finds out after its start that it is not set up for its catalog. */
  readonly stop?: () => void;
  /** How long steps and calls go on once it closes, before they are given up. Default 20 000 ms. */
  readonly graceMs?: number;
  /** For tests: faults at step boundaries, and a quicker poll. */
  readonly engine?: Pick<TaskEngineOptions, 'faults' | 'pollMs' | 'leaseMs'>;
}
