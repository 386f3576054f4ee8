import { type DatastoreVersionRow, listBoundFlavors } from '@trove/catalog';
import { TroveError } from '@trove/common';
import type { Flavor, Image } from '@trove/compute';
import type { NewInstance } from '@trove/contracts';
import type { ApiDeps } from '../deps.ts';
import type { ComputeChoices } from './compute_choices.ts';
import { findDatastoreVersion } from './find_datastore_version.ts';
import { checkDatabases, checkStorable, checkUsers } from './names.ts';
import { refuseUnbuilt } from './unbuilt.ts';

/** A create that has passed every check but quota: what is to be built. */
export interface InstancePlan {
  readonly name: string;
  readonly version: DatastoreVersionRow & { manager: string };
  readonly image: Image;
  readonly flavor: Flavor;
  /** GB. */
  readonly volumeSize: number;
  readonly databases: NonNullable<NewInstance['databases']>;
  readonly users: NonNullable<NewInstance['users']>;
  readonly nics: NonNullable<NewInstance['nics']>;
  readonly access: NewInstance['access'];
  readonly availabilityZone: string | undefined;
}

/** Parts of Trove's create that do not exist here yet. */
const UNBUILT = [
  'replica_of',
  'slave_of',
  'replica_count',
  'configuration',
  'configuration_id',
  'restorePoint',
  'modules',
  'locality',
];

/** Checks a create in Trove's order. Nothing has been written when it rejects. */
export async function planInstance(deps: ApiDeps, choices: ComputeChoices, wanted: NewInstance): Promise<InstancePlan> {
  refuseUnbuilt(wanted, UNBUILT);
  checkStorable('name', wanted.name);
  if (wanted.availability_zone !== undefined) checkStorable('availability_zone', wanted.availability_zone);
  const { version } = await findDatastoreVersion(deps.catalog, wanted.datastore, deps.settings.defaultDatastore);
  const { manager } = version;
  if (manager === null)
    throw new TroveError('BAD_REQUEST', `Datastore version '${version.name ?? version.id}' has no manager.`);
  const image = await choices.image(version.image_id);
  const databases = wanted.databases ?? [];
  const users = wanted.users ?? [];
  checkDatabases(databases, manager);
  checkUsers(users, manager, new Set(databases.map(({ name }) => name)));
  for (const nic of wanted.nics ?? []) checkNic(nic);
  checkRegion(wanted.region_name, deps.settings.regionName);
  const flavor = await chooseFlavor(deps, choices, wanted.flavorRef, version);
  const volumeSize = checkVolume(wanted.volume, deps.settings.maxVolumeSize);
  return {
    name: wanted.name,
    version: { ...version, manager },
    image,
    flavor,
    volumeSize,
    databases,
    users,
    nics: wanted.nics ?? [],
    access: wanted.access,
    availabilityZone: wanted.availability_zone,
  };
}

function checkNic(nic: NonNullable<NewInstance['nics']>[number]): void {
  const network = nic.network_id ?? nic['net-id'];
  if (network === undefined && nic.subnet_id === undefined) {
    throw new TroveError('BAD_REQUEST', 'A nic needs a network_id or a subnet_id.');
  }
  if (nic.ip_address !== undefined && nic.subnet_id === undefined) {
    throw new TroveError('BAD_REQUEST', 'A nic with an ip_address needs a subnet_id.');
  }
}

function checkRegion(wanted: string | undefined, own: string): void {
  if (wanted !== undefined && wanted !== own)
    throw new TroveError('BAD_REQUEST', `Region '${wanted}' cannot be found.`);
}

async function chooseFlavor(
  deps: ApiDeps,
  choices: ComputeChoices,
  wanted: NewInstance['flavorRef'],
  version: DatastoreVersionRow,
): Promise<Flavor> {
  if (wanted === undefined)
    throw new TroveError('BAD_REQUEST', "Validation error: instance 'flavorRef' is a required property");
  // A URL is taken too: its last part is the id.
  const id = String(wanted).split('/').at(-1) ?? '';
  const bound = await listBoundFlavors(deps.catalog.knex, version.id);
  if (bound.length > 0 && !bound.includes(id)) {
    throw new TroveError(
      'FLAVOR_NOT_FOUND',
      `Flavor ${id} is not supported for datastore version ${version.name ?? version.id}.`,
    );
  }
  return await choices.flavor(id);
}

function checkVolume(volume: NewInstance['volume'], maximum: number): number {
  if (volume === undefined) throw new TroveError('BAD_REQUEST', 'Volume size was not specified.');
  if (volume.type !== undefined && volume.type !== null) {
    throw new TroveError('BAD_REQUEST', `Volume type '${volume.type}' cannot be found.`);
  }
  const size = Number(volume.size);
  checkVolumeSize(size, maximum);
  return size;
}

/** Throws Trove's 413 where the size in GB is above `max_accepted_volume_size`. */
export function checkVolumeSize(size: number, maximum: number): void {
  if (size <= maximum) return;
  throw new TroveError(
    'QUOTA_EXCEEDED',
    `Volume 'size' cannot exceed maximum of ${maximum} GB, ${size} cannot be accepted.`,
  );
}
