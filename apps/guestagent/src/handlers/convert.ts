import { TroveError } from '@trove/common';
import type { ArgsOf, GuestApi } from '@trove/contracts';
import type { DatabaseSpec, PageRequest, UserInfo, UserSpec } from '@trove/datastores';

type WireDatabase = ArgsOf<GuestApi['delete_database']>['database'];
type WireUser = ArgsOf<GuestApi['create_user']>['users'][number];

/** Between the members that Trove's guests use on the wire and the datastores' own. */
export function databaseFromWire(database: WireDatabase): DatabaseSpec {
  return { name: database._name, characterSet: database._character_set ?? null, collate: database._collate ?? null };
}

export function databaseToWire(database: DatabaseSpec): WireDatabase {
  return { _name: database.name, _character_set: database.characterSet ?? null, _collate: database.collate ?? null };
}

export function userFromWire(user: WireUser): UserSpec {
  if (typeof user._password !== 'string') throw new TroveError('BAD_REQUEST', 'A user needs a password.');
  return {
    name: user._name,
    host: user._host ?? null,
    password: user._password,
    databases: (user._databases ?? []).map((database) => database._name),
  };
}

/** Passwords are not known to the datastore and never listed. */
export function userToWire(user: UserInfo): WireUser {
  return {
    _name: user.name,
    _host: user.host,
    _password: null,
    _databases: user.databases.map((name) => databaseToWire({ name })),
  };
}

export function pageFromWire(page: {
  limit: number | null;
  marker: string | null;
  include_marker: boolean;
}): PageRequest {
  return { limit: page.limit, marker: page.marker, includeMarker: page.include_marker };
}
