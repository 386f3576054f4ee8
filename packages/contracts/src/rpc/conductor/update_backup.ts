import { Type } from 'typebox';
import { defineMethod } from '../method.ts';
import { Nothing, Uuid } from '../types.ts';

/** A backup's progress, as Trove's guests report it. Further members are fields of the backup. */
export const update_backup = defineMethod({
  name: 'update_backup',
  legacyKind: 'cast',
  args: Type.Object(
    { instance_id: Uuid, backup_id: Uuid, sent: Type.Optional(Type.Union([Type.Number(), Type.Null()])) },
    { additionalProperties: true },
  ),
  result: Nothing,
});
