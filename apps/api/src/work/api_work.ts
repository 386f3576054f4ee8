import type { ApiDeps } from '../deps.ts';
import type { ComputeChoices } from './compute_choices.ts';
import type { Doorbell } from './doorbell.ts';

/** What routes that file tasks work with. */
export interface ApiWork {
  readonly deps: ApiDeps;
  readonly choices: ComputeChoices;
  readonly doorbell: Doorbell;
}
