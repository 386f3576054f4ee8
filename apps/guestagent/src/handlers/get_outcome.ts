import type { PlainMethod } from './method.ts';

export const get_outcome: PlainMethod<'get_outcome'> = async (context, args) =>
  context.journal.outcome(args.idempotency_key);
