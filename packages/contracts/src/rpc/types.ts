import { Type } from 'typebox';

/** Schemas that several methods share, with the member names that Trove's guests use on the wire. */
const closed = { additionalProperties: false } as const;

export const Uuid = Type.String({ pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' });

/** Most of a name that any datastore here can hold; each datastore driver narrows it further. */
const DatabaseName = Type.String({ minLength: 1, maxLength: 64 });

export const GuestDatabase = Type.Object(
  {
    _name: DatabaseName,
    _character_set: Type.Optional(Type.Union([Type.String({ maxLength: 64 }), Type.Null()])),
    _collate: Type.Optional(Type.Union([Type.String({ maxLength: 64 }), Type.Null()])),
  },
  closed,
);

export const GuestUser = Type.Object(
  {
    _name: Type.String({ minLength: 1, maxLength: 63 }),
    _host: Type.Optional(Type.Union([Type.String({ maxLength: 255 }), Type.Null()])),
    _password: Type.Optional(Type.Union([Type.String({ maxLength: 255 }), Type.Null()])),
    _databases: Type.Optional(Type.Array(GuestDatabase, { maxItems: 1000 })),
    _is_root: Type.Optional(Type.Boolean()),
  },
  closed,
);

/** One page of a list: at most `limit` items after `marker`. */
export const PageArgs = Type.Object(
  {
    limit: Type.Union([Type.Integer({ minimum: 0, maximum: 100000 }), Type.Null()]),
    marker: Type.Union([Type.String({ maxLength: 512 }), Type.Null()]),
    include_marker: Type.Boolean(),
  },
  closed,
);

export const NextMarker = Type.Union([Type.String(), Type.Null()]);
export const NoArgs = Type.Object({}, closed);
export const Nothing = Type.Null();

/** What a v2 guest answers to a long method; its end is asked for by `get_outcome`. */
export const Accepted = Type.Object({ accepted: Type.Literal(true) }, closed);
