import type { TaskRow } from './tables.ts';

/** Of tasks on which somebody works or will. */
export const UNFINISHED_STATES: readonly TaskRow['state'][] = ['pending', 'running', 'waiting', 'compensating'];
/** Of tasks that are over. */
export const ENDED_STATES: readonly TaskRow['state'][] = ['done', 'failed', 'cancelled'];
