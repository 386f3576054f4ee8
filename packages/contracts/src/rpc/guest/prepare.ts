import { Type } from 'typebox';
import { defineMethod } from '../method.ts';
import { Accepted, GuestDatabase, GuestUser } from '../types.ts';

const json = Type.Unknown();

/**
 * Makes the database server on a fresh instance, with these databases and users. Arguments are Trove's, all present; those
 * that this control plane does not use are null. Long: its end is asked for by `get_outcome` (legacy: seen in heartbeats).
 */
export const prepare = defineMethod({
  name: 'prepare',
  version: '1.1',
  legacyKind: 'cast',
  patience: 'high',
  once: true,
  fenced: true,
  long: true,
  args: Type.Object(
    {
      packages: Type.Array(Type.String()),
      databases: Type.Array(GuestDatabase, { maxItems: 1000 }),
      memory_mb: Type.Integer({ minimum: 0 }),
      users: Type.Array(GuestUser, { maxItems: 1000 }),
      device_path: Type.Union([Type.String(), Type.Null()]),
      mount_point: Type.Union([Type.String(), Type.Null()]),
      backup_info: json,
      config_contents: Type.Union([Type.String(), Type.Null()]),
      root_password: Type.Union([Type.String(), Type.Null()]),
      overrides: json,
      cluster_config: json,
      snapshot: json,
      modules: json,
      ds_version: Type.Union([Type.String(), Type.Null()]),
    },
    { additionalProperties: false },
  ),
  result: Accepted,
});
