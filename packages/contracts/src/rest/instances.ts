import { type Static, Type } from 'typebox';
import { AnyCaseUuid, Links, NullableText, PageQuery, Timestamp, TroveString } from './common.ts';
import { NewDatabase } from './databases.ts';
import { NewUser } from './users.ts';

const Access = Type.Object({
  is_public: Type.Optional(Type.Boolean()),
  allowed_cidrs: Type.Optional(Type.Array(Type.String())),
});

const InstanceSummaryMembers = {
  id: Type.String(),
  name: Type.String(),
  status: Type.String(),
  operating_status: Type.String(),
  links: Links,
  flavor: Type.Object({ id: Type.String(), links: Links }),
  datastore: Type.Object({
    type: NullableText,
    version: NullableText,
    version_number: Type.Optional(NullableText),
  }),
  region: NullableText,
  access: Access,
  volume: Type.Optional(
    Type.Object({
      size: Type.Integer(),
      used: Type.Optional(Type.Number()),
      used_percent: Type.Optional(Type.Number()),
    }),
  ),
  ip: Type.Optional(Type.Array(Type.String())),
  addresses: Type.Optional(
    Type.Array(
      Type.Object({
        address: Type.String(),
        type: Type.String(),
        network: Type.Optional(Type.String()),
        port: Type.Optional(Type.Integer({ description: 'Where it is not the datastore’s standard port.' })),
      }),
    ),
  ),
  replica_of: Type.Optional(Type.Object({ id: Type.String(), links: Links })),
  replicas: Type.Optional(Type.Array(Type.Object({ id: Type.String(), links: Links }))),
  tenant_id: Type.Optional(Type.String({ description: 'Admins only.' })),
};

/** An item of `GET /instances`. */
export const InstanceSummary = Type.Object(InstanceSummaryMembers);
export type InstanceSummary = Static<typeof InstanceSummary>;

/** What show, detail and the create answer hold. */
export const InstanceDetail = Type.Object({
  ...InstanceSummaryMembers,
  created: NullableText,
  updated: NullableText,
  service_status_updated: Type.Optional(Timestamp),
  fault: Type.Optional(Type.Object({ message: Type.String(), created: Timestamp, details: NullableText })),
  configuration: Type.Optional(Type.Object({ id: Type.String(), name: Type.String(), links: Links })),
  cluster_id: Type.Optional(Type.String()),
  shard_id: Type.Optional(Type.String()),
  server_id: Type.Optional(NullableText),
  volume_id: Type.Optional(NullableText),
  encrypted_rpc_messaging: Type.Optional(
    Type.Boolean({ description: 'Admins only: whether the instance has a key of its own.' }),
  ),
});
export type InstanceDetail = Static<typeof InstanceDetail>;

export const InstanceBody = Type.Object({ instance: InstanceDetail });
export const InstanceListBody = Type.Object({ instances: Type.Array(InstanceSummary), links: Type.Optional(Links) });
export const InstanceDetailListBody = Type.Object({
  instances: Type.Array(InstanceDetail),
  links: Type.Optional(Links),
});

export const ListInstancesQuery = Type.Object({ ...PageQuery, include_clustered: Type.Optional(Type.String()) });

const OCTET = '(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])';
const IPV4 = `${OCTET}(\\.${OCTET}){3}`;

const NewAccess = Type.Object(
  {
    is_public: Type.Optional(Type.Boolean()),
    allowed_cidrs: Type.Optional(
      Type.Array(Type.String({ pattern: `^${IPV4}(/([0-9]|[12][0-9]|3[0-2]))?$` }), {
        uniqueItems: true,
        maxItems: 256,
      }),
    ),
  },
  { additionalProperties: false },
);

const NewNic = Type.Object(
  {
    'net-id': Type.Optional(AnyCaseUuid),
    network_id: Type.Optional(AnyCaseUuid),
    subnet_id: Type.Optional(AnyCaseUuid),
    ip_address: Type.Optional(Type.String({ pattern: `^${IPV4}$` })),
  },
  { additionalProperties: false },
);

/** An id, or a URL whose last part is one. */
const FlavorRef = Type.Union([TroveString, Type.Integer()]);

const VolumeSize = Type.Union([
  Type.Integer({ minimum: 1 }),
  Type.String({ pattern: '^0*[1-9][0-9]*$', maxLength: 10 }),
]);

export const NewInstance = Type.Object({
  name: TroveString,
  flavorRef: Type.Optional(FlavorRef),
  volume: Type.Optional(
    Type.Object({ size: VolumeSize, type: Type.Optional(Type.Union([Type.String({ maxLength: 255 }), Type.Null()])) }),
  ),
  datastore: Type.Optional(
    Type.Object({
      type: Type.Optional(TroveString),
      version: Type.Optional(TroveString),
      version_number: Type.Optional(TroveString),
    }),
  ),
  databases: Type.Optional(Type.Array(NewDatabase, { maxItems: 1000 })),
  users: Type.Optional(Type.Array(NewUser, { maxItems: 1000 })),
  nics: Type.Optional(Type.Array(NewNic, { maxItems: 1 })),
  access: Type.Optional(NewAccess),
  availability_zone: Type.Optional(TroveString),
  region_name: Type.Optional(TroveString),
});
export type NewInstance = Static<typeof NewInstance>;

/** `POST /instances`. Keys that are not named here may stand in it, as in Trove. */
export const CreateInstanceBody = Type.Object({ instance: NewInstance });

const NotYet = Type.Unknown({ description: 'Refused with 501 until it exists.' });

const UpdateMembers = {
  name: Type.Optional(TroveString),
  datastore_version: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
  replica_of: Type.Optional(NotYet),
  configuration: Type.Optional(NotYet),
};

/** `PATCH /instances/{id}`, Trove's older form of PUT. */
export const PatchInstanceBody = Type.Object({
  instance: Type.Object({ ...UpdateMembers, slave_of: Type.Optional(NotYet) }, { additionalProperties: false }),
});
export type InstancePatch = Static<typeof PatchInstanceBody>['instance'];

/** `PUT /instances/{id}`: at most one member beside `name`. */
export const PutInstanceBody = Type.Object({
  instance: Type.Object({ ...UpdateMembers, access: Type.Optional(NotYet) }, { additionalProperties: false }),
});
export type InstancePut = Static<typeof PutInstanceBody>['instance'];

/** A flavor (its id, or a URL that ends in it) or a volume's size in GB; where both stand there, the volume counts. */
const Resize = Type.Object({
  flavorRef: Type.Optional(FlavorRef),
  volume: Type.Optional(Type.Object({ size: VolumeSize })),
});
export type Resize = Static<typeof Resize>;

/** `POST /instances/{id}/action`: one member, the action's name. */
export const InstanceActionBody = Type.Object(
  { restart: Type.Optional(Type.Object({})), resize: Type.Optional(Resize) },
  {
    minProperties: 1,
    maxProperties: 1,
    description: '`{"restart": {}}`, `{"resize": {"flavorRef": "2"}}` or `{"resize": {"volume": {"size": 4}}}`.',
  },
);
