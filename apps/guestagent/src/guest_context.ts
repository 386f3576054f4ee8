import type { Logger } from '@trove/common';
import { TroveError } from '@trove/common';
import type { Datastore } from '@trove/datastores';
import type { GuestStatus } from './guest_status.ts';
import type { ServerFacts } from './server_facts.ts';
import type { Fence } from './state/fence.ts';
import type { OnceJournal } from './state/once_journal.ts';
import type { PrepareMarkers } from './state/prepare_markers.ts';

/** What the handlers work on. */
export interface GuestContext {
  readonly facts: ServerFacts;
  readonly datastore: Datastore;
  readonly markers: PrepareMarkers;
  readonly journal: OnceJournal;
  readonly fence: Fence;
  readonly status: GuestStatus;
  readonly logger: Logger;
  /** Tells the control plane of a change at once; never rejects. */
  readonly tell: () => Promise<void>;
  /** One change at a time: runs the work when those before it have ended. */
  readonly exclusively: <T>(work: () => Promise<T>) => Promise<T>;
  /** Keeps an eye on work that goes on after its request was answered. */
  readonly inBackground: (work: Promise<unknown>) => void;
}

/** Refuses what needs a database while there is none yet. */
export function requirePrepared(context: GuestContext): void {
  if (context.markers.state() !== 'done')
    throw new TroveError('GUEST_ERROR', 'The instance has no database yet.', { retryable: true });
}
