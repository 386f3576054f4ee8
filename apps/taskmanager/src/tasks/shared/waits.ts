import type { Wait } from '@trove/tasks';

const FIRST_MS = 500;
/** What is awaited is noticed no later than this share of the whole wait. */
const SHARE = 0.1;

/**
 * For what a guest's report tells: each report wakes the task. The cap is the interval in which a guest reports by default: a
 * report that is lost costs no more than the next one would.
 */
export const UNTIL_REPORTED: Wait = { ms: FIRST_MS, grows: { share: SHARE, capMs: 30_000 } };

/** For what nobody reports, such as the state of a server: it is looked for. */
export const UNTIL_SEEN: Wait = { ms: FIRST_MS, grows: { share: SHARE, capMs: 5000 } };

/** For what has just been put right, and for the second question, however long ago its step began under another worker. */
export const SOON: Wait = { ms: FIRST_MS };
