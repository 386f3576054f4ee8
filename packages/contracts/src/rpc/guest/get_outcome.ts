import { Type } from 'typebox';
import { defineMethod } from '../method.ts';

/**
 * How a long method ended that was asked for under this idempotency key (ours, v2 only). `unknown`: the guest has never
 * started it, so it may be asked for again.
 */
export const get_outcome = defineMethod({
  name: 'get_outcome',
  args: Type.Object({ idempotency_key: Type.String({ minLength: 1, maxLength: 64 }) }, { additionalProperties: false }),
  result: Type.Object(
    {
      state: Type.Union([
        Type.Literal('unknown'),
        Type.Literal('started'),
        Type.Literal('done'),
        Type.Literal('failed'),
      ]),
      error: Type.Optional(
        Type.Object(
          { code: Type.String(), message: Type.String({ maxLength: 1000 }) },
          { additionalProperties: false },
        ),
      ),
    },
    { additionalProperties: false },
  ),
});
