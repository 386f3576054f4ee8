import type { Command } from 'commander';
import { CliError, EXIT } from '../exit.ts';
import { findFlavorId, findInstance } from '../lookup.ts';
import type { Session } from '../session.ts';
import { asObject, asText, type Json, type JsonObject } from '../trove_client.ts';
import { instanceProperties } from '../views.ts';
import { TIMEOUT_FLAG, WAIT_FLAG, type WaitOptions, waitForTask } from '../wait.ts';
import { wholeNumber } from '../whole_number.ts';

interface CreateOptions extends WaitOptions {
  readonly size?: string;
  readonly datastore?: string;
  readonly datastore_version?: string;
  readonly databases?: string[];
  readonly users?: string[];
  readonly nic?: string[];
  readonly availability_zone?: string;
}

export function addCreate(program: Command, session: Session): void {
  program
    .command('create')
    .description('create an instance')
    .argument('<name>')
    .argument('<flavor>', 'id or name')
    .option('--size <GB>', 'size of the volume')
    .option('--datastore <datastore>', 'id or name; default: what the deployment has set')
    .option('--datastore_version <version>', 'id or name')
    .option('--databases <name...>', 'databases to make on it')
    .option('--users <user:password...>', 'users to make on it, each with access to those databases')
    .option('--nic <net-id=ID,...>', 'network: net-id, subnet-id, v4-fixed-ip; may be repeated', collect)
    .option('--availability_zone <zone>')
    .option(...WAIT_FLAG)
    .option(...TIMEOUT_FLAG)
    .action(async (name: string, flavor: string, options: CreateOptions) => {
      const client = session.client();
      const body = createBody(name, await findFlavorId(client, flavor), options);
      const { answer, taskId } = await client.file('POST', '/instances', { instance: body });
      let instance = asObject(answer.instance);
      if (options.wait === true) {
        const instanceId = asText(instance.id);
        await waitForTask(session.io, client, { name, instanceId, taskId }, options);
        instance = await findInstance(client, instanceId);
      }
      session.printOne(instance, instanceProperties(instance));
    });
}

function collect(value: string, earlier: string[] | undefined): string[] {
  return [...(earlier ?? []), value];
}

function createBody(name: string, flavorId: string, options: CreateOptions): JsonObject {
  const body: JsonObject = { name, flavorRef: flavorId };
  if (options.size !== undefined) body.volume = { size: wholeNumber('--size', options.size) };
  if (options.datastore !== undefined || options.datastore_version !== undefined) body.datastore = datastoreOf(options);
  if (options.databases !== undefined) body.databases = options.databases.map((database) => ({ name: database }));
  if (options.users !== undefined) body.users = options.users.map((user) => userOf(user, options.databases ?? []));
  if (options.nic !== undefined) body.nics = options.nic.map(nicOf);
  if (options.availability_zone !== undefined) body.availability_zone = options.availability_zone;
  return body;
}

function datastoreOf(options: CreateOptions): JsonObject {
  const datastore: JsonObject = {};
  if (options.datastore !== undefined) datastore.type = options.datastore;
  if (options.datastore_version !== undefined) datastore.version = options.datastore_version;
  return datastore;
}

function userOf(text: string, databases: readonly string[]): Json {
  const colon = text.indexOf(':');
  if (colon < 1 || colon === text.length - 1) throw new CliError(EXIT.usage, '--users takes user:password.');
  return {
    name: text.slice(0, colon),
    password: text.slice(colon + 1),
    databases: databases.map((name) => ({ name })),
  };
}

const NIC_MEMBERS: Readonly<Record<string, string>> = {
  'net-id': 'net-id',
  'subnet-id': 'subnet_id',
  'v4-fixed-ip': 'ip_address',
};

function nicOf(text: string): Json {
  const nic: JsonObject = {};
  for (const part of text.split(',')) {
    const [key = '', value] = part.split('=', 2);
    const member = NIC_MEMBERS[key];
    if (member === undefined || value === undefined || value === '') {
      throw new CliError(
        EXIT.usage,
        `--nic takes ${Object.keys(NIC_MEMBERS).join(', ')}, each as key=value, not '${part}'.`,
      );
    }
    nic[member] = value;
  }
  return nic;
}
