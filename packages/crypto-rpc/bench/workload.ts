import { Secret } from '@trove/common';
import type { ControlKeys } from '../src/index.ts';

/** How calls are made: sealed, in Trove's clear JSON, or by amqplib with nothing of ours. */
export const KINDS = ['plaintext', 'sealed', 'bare amqplib'] as const;
export type Kind = (typeof KINDS)[number];

export const INSTANCE_ID = '2d0ae35b-7f5c-4d3b-a0a5-93f2a4e1b0c7';
/** About 200 bytes of arguments, and an answer of five databases. */
export const ARGS = { instance_id: INSTANCE_ID, limit: 20, marker: 'm'.repeat(120), include_marker: false };
export const ANSWER = Array.from({ length: 5 }, (_, i) => ({ _name: `database${i}` }));
export const BARE_QUEUE = 'bench.bare';

export function controlKeysOf(kind: Kind): ControlKeys {
  return { ring: kind === 'sealed' ? [new Secret('a-key-of-the-benchmark-and-nothing-else')] : [] };
}
