import { Type } from 'typebox';
import { defineMethod } from '../method.ts';
import { Nothing, Uuid } from '../types.ts';

/**
 * A guest's state, every `report_interval` and at once on a change. `service_status` is Trove's description text
 * (`healthy`, `building`, …); `sent` is the guest's UTC in epoch seconds (legacy freshness; v2 guests leave it out).
 * The volume's figures are in GB, and only v2 guests report them.
 */
export const heartbeat = defineMethod({
  name: 'heartbeat',
  legacyKind: 'cast',
  args: Type.Object(
    {
      instance_id: Uuid,
      payload: Type.Object(
        {
          service_status: Type.Optional(Type.String({ maxLength: 64 })),
          volume_used: Type.Optional(Type.Number({ minimum: 0 })),
          volume_total: Type.Optional(Type.Number({ minimum: 0 })),
        },
        { additionalProperties: false },
      ),
      sent: Type.Optional(Type.Union([Type.Number(), Type.Null()])),
    },
    { additionalProperties: false },
  ),
  result: Nothing,
});
