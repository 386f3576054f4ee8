import { Type } from 'typebox';
import { defineMethod } from '../method.ts';
import { Nothing, Uuid } from '../types.ts';

/** That root was enabled on the instance, as Trove's guests report it. */
export const report_root = defineMethod({
  name: 'report_root',
  legacyKind: 'cast',
  args: Type.Object(
    { instance_id: Uuid, user: Type.Optional(Type.Union([Type.String(), Type.Null()])) },
    { additionalProperties: false },
  ),
  result: Nothing,
});
