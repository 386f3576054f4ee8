import { Type } from 'typebox';

/** What runs servers, as an admin sees it. */
const HostItem = Type.Object({ name: Type.String(), instanceCount: Type.Integer() });
export const HostListBody = Type.Object({ hosts: Type.Array(HostItem) });

const Megabytes = Type.Union([Type.Integer(), Type.Null()]);

/** Memory in MB, null where the compute driver does not know it; `percentUsed` of it. */
const HostDetail = Type.Object({
  name: Type.String(),
  totalRAM: Megabytes,
  usedRAM: Megabytes,
  percentUsed: Megabytes,
  instances: Type.Array(
    Type.Object({
      id: Type.String(),
      name: Type.String(),
      status: Type.String(),
      server_id: Type.Union([Type.String(), Type.Null()]),
      tenant_id: Type.Union([Type.String(), Type.Null()]),
    }),
  ),
});
export const HostBody = Type.Object({ host: HostDetail });
