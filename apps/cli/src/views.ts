import { asArray, asObject, asText, type Json, type JsonObject } from './trove_client.ts';

/** Columns of a list: a heading and how its cell is found in an item. */
export type Columns = Readonly<Record<string, (item: JsonObject) => string>>;

const field = (name: string) => (item: JsonObject) => asText(item[name]);

export const INSTANCE_COLUMNS: Columns = {
  id: field('id'),
  name: field('name'),
  datastore: (item) => asText(asObject(item.datastore).type),
  datastore_version: (item) => asText(asObject(item.datastore).version),
  status: field('status'),
  flavor_id: (item) => asText(asObject(item.flavor).id),
  size: (item) => asText(asObject(item.volume).size ?? '-'),
  region: field('region'),
};

export const NAME_COLUMNS: Columns = { name: field('name') };
export const ID_NAME_COLUMNS: Columns = { id: field('id'), name: field('name') };
export const FLAVOR_COLUMNS: Columns = {
  id: (item) => asText(item.id ?? item.str_id),
  name: field('name'),
  ram: field('ram'),
  vcpus: field('vcpus'),
  disk: field('disk'),
  ephemeral: field('ephemeral'),
};
export const USER_COLUMNS: Columns = {
  name: field('name'),
  host: field('host'),
  databases: (item) => names(item.databases),
};

export const QUOTA_COLUMNS: Columns = {
  resource: field('resource'),
  in_use: field('in_use'),
  reserved: field('reserved'),
  limit: field('limit'),
};
/** Of how many requests a client may send; the server may have none. */
export const LIMIT_COLUMNS: Columns = {
  value: field('value'),
  verb: field('verb'),
  remaining: field('remaining'),
  unit: field('unit'),
};

export const TASK_COLUMNS: Columns = {
  id: field('id'),
  kind: field('kind'),
  state: field('state'),
  steps: (task) => stepCount(task),
  step: (task) => asText(task.step ?? '-'),
  created: field('created'),
  updated: field('updated'),
};
export const STEP_COLUMNS: Columns = {
  name: field('name'),
  state: field('state'),
  attempts: field('attempts'),
  started: (step) => asText(step.started ?? '-'),
  finished: (step) => asText(step.finished ?? '-'),
  progress: (step) => asText(step.progress ?? '-'),
};

/** `3 of 9`; nothing while the steps are not known. */
export function stepCount(task: JsonObject): string {
  return task.steps_total === 0 ? '-' : `${asText(task.steps_done)} of ${asText(task.steps_total)}`;
}

/** The lines of `trove task-show` above its steps. */
export function taskProperties({
  steps: _steps,
  steps_done: _done,
  steps_total: _total,
  ...task
}: JsonObject): Record<string, string> {
  const { error, ...others } = task;
  const lines = Object.entries(others).map(([name, value]) => [name, asText(value)]);
  const reason = error === undefined ? {} : { error: asText(asObject(error).message) };
  return { ...Object.fromEntries(lines), ...reason };
}

/** The lines of `trove show`: each member of the instance, the nested ones by what matters of them, links left out. */
export function instanceProperties(instance: JsonObject): Record<string, string> {
  const lines: Record<string, string> = {};
  for (const [name, value] of Object.entries(instance))
    Object.assign(lines, NESTED[name]?.(value) ?? { [name]: asText(value) });
  return lines;
}

const NESTED: Readonly<Record<string, (value: Json) => Record<string, string>>> = {
  links: () => ({}),
  flavor: (value) => ({ flavor: asText(asObject(value).id) }),
  datastore: (value) => datastoreProperties(asObject(value)),
  volume: (value) => volumeProperties(asObject(value)),
  ip: (value) => ({ ip: asArray(value).map(asText).join(', ') }),
  addresses: (value) => ({ addresses: asArray(value).map(asObject).map(address).join(', ') }),
  configuration: (value) => ({ configuration: asText(asObject(value).id) }),
  replica_of: (value) => ({ replica_of: asText(asObject(value).id) }),
  replicas: (value) => ({
    replicas: asArray(value)
      .map((replica) => asText(asObject(replica).id))
      .join(', '),
  }),
  fault: (value) => faultProperties(asObject(value)),
};

function datastoreProperties(datastore: JsonObject): Record<string, string> {
  const number = datastore.version_number;
  return {
    datastore: asText(datastore.type),
    datastore_version: asText(datastore.version),
    ...(number === undefined ? {} : { datastore_version_number: asText(number) }),
  };
}

function volumeProperties(volume: JsonObject): Record<string, string> {
  return { volume: asText(volume.size), ...(volume.used === undefined ? {} : { volume_used: asText(volume.used) }) };
}

function faultProperties(fault: JsonObject): Record<string, string> {
  return { fault: asText(fault.message), fault_date: asText(fault.created), fault_details: asText(fault.details) };
}

function address(entry: JsonObject): string {
  const port = entry.port === undefined ? '' : `:${asText(entry.port)}`;
  return `${asText(entry.address)}${port} (${asText(entry.type)})`;
}

function names(value: Json | undefined): string {
  return asArray(value)
    .map((entry) => asText(asObject(entry).name))
    .join(', ');
}
