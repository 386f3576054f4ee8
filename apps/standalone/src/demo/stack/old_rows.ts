import type { AtHand } from '../outside.ts';

/** The rows of a deployment older than secure messaging, as `trove-catalog-40.sql` has them. */
const PROJECT = '56cca8484d3e48869126ada4f355c284';
const DATASTORE_ID = '8e052edb-5f14-4aec-9149-0a80a30cf5e4';
const LAST_REPORT = '2017-01-09 18:26:16';
const LAST_SEEN = 1483986386.52;

export const OLD_VERSION_ID = '4a881cb5-9e48-4cb2-a209-4283ed44eb01';

interface OldInstance {
  readonly name: string;
  readonly id: string;
  readonly statusId: string;
  readonly created: string;
  readonly updated: string;
}

const OLD_INSTANCES: readonly OldInstance[] = [
  {
    name: 'm2',
    id: 'bb0c9213-31f8-4427-8898-c644254b3642',
    statusId: 'f5b084e0-c73e-47ff-b8bc-19b22fde4add',
    created: '2017-01-09 18:17:13',
    updated: '2017-01-09 18:17:17',
  },
  {
    name: 'm3',
    id: '9ceebd62-e13d-43c5-953a-c0f24f08757e',
    statusId: 'f5b226e3-f967-4dc6-bb5c-20b2e44fd54f',
    created: '2017-01-09 18:20:13',
    updated: '2017-01-09 18:20:17',
  },
  {
    name: 'm4',
    id: '6d55ab3a-267f-4b95-8ada-33fc98fd1767',
    statusId: '6ea994b0-b27c-4a92-94ac-a3675a715e5e',
    created: '2017-01-09 18:20:13',
    updated: '2017-01-09 18:20:17',
  },
];

/** Statements that put those rows into an empty catalog at migration 40. */
export function oldRows(): readonly string[] {
  return [
    `insert into datastores (id, name, default_version_id) values ('${DATASTORE_ID}', 'mysql', '${OLD_VERSION_ID}')`,
    `insert into datastore_versions (id, datastore_id, name, image_id, packages, active, manager)
     values ('${OLD_VERSION_ID}', '${DATASTORE_ID}', '5.6', 'ea05cba7-2f70-4745-abea-136d7bcc16c7', 'mysql-server-5.6', 1, 'mysql')`,
    ...OLD_INSTANCES.flatMap(rowsOf),
  ];
}

function rowsOf({ id, name, statusId, created, updated }: OldInstance): string[] {
  return [
    `insert into instances (id, created, updated, name, task_id, task_description, flavor_id, volume_size, tenant_id, deleted,
       datastore_version_id, region_id)
     values ('${id}', '${created}', '${updated}', '${name}', 1, 'No tasks for the instance.', '25', 3, '${PROJECT}', 0,
       '${OLD_VERSION_ID}', 'RegionOne')`,
    `insert into service_statuses (id, instance_id, status_id, status_description, updated_at)
     values ('${statusId}', '${id}', 1, 'running', '${LAST_REPORT}')`,
    `insert into conductor_lastseen (instance_id, method_name, sent) values ('${id}', 'heartbeat', ${LAST_SEEN})`,
  ];
}

/** What the rows call mysql 5.6 becomes the datastore that this machine has. */
export function datastoreAtHand(
  atHand: AtHand & { readonly manager: string; readonly imageId: string },
): readonly string[] {
  return [
    `update datastores set name = '${atHand.datastore}' where id = '${DATASTORE_ID}'`,
    `update datastore_versions set name = '${atHand.version}', image_id = '${atHand.imageId}', packages = '', manager = '${atHand.manager}'
     where id = '${OLD_VERSION_ID}'`,
  ];
}

/** The row of an old instance learns where its server is. */
export function serverOf(instanceId: string, serverId: string, volumeId: string): readonly string[] {
  return [
    `update instances set compute_instance_id = '${serverId}', volume_id = '${volumeId}' where id = '${instanceId}'`,
  ];
}

export function oldInstanceId(name: string): string {
  const found = OLD_INSTANCES.find((instance) => instance.name === name);
  if (found === undefined) throw new Error(`no old instance ${name}`);
  return found.id;
}
