import { type Static, Type } from 'typebox';

/** Instances and backups in pieces, memory in MB, volumes in GB. A limit below 0 is none. */
const Quota = Type.Object({
  resource: Type.String(),
  in_use: Type.Integer(),
  reserved: Type.Integer(),
  limit: Type.Integer(),
});

/** `GET /mgmt/quotas/{project}`. */
export const QuotaListBody = Type.Object({ quotas: Type.Array(Quota) });

/** What the catalog's column holds; null changes nothing. */
const NewLimit = Type.Unsafe<number | null>({ type: ['integer', 'null'], minimum: -1, maximum: 2 ** 31 - 1 });

/** `PUT /mgmt/quotas/{project}`: limits by resource. */
export const UpdateQuotasBody = Type.Object({ quotas: Type.Record(Type.String(), NewLimit) });
export type UpdateQuotasBody = Static<typeof UpdateQuotasBody>;

/** What it answers: those that it has changed. */
export const UpdatedQuotasBody = Type.Object({ quotas: Type.Record(Type.String(), Type.Integer()) });

/** `GET /limits`. */
const AbsoluteLimits = Type.Object({
  verb: Type.Literal('ABSOLUTE'),
  max_instances: Type.Integer(),
  max_ram: Type.Integer(),
  max_backups: Type.Integer(),
  max_volumes: Type.Integer(),
});
export const LimitListBody = Type.Object({ limits: Type.Array(AbsoluteLimits) });
