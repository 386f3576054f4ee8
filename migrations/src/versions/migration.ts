import type { Operation } from '../operations.ts';

export interface Migration {
  readonly version: number;
  readonly operations: readonly Operation[];
}
