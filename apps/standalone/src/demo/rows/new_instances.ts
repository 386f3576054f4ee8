import { openEncryptedKey } from '../at_rest_reader.ts';
import { CONFIG_FILES, type CommandResult, type ServerFacts } from '../outside.ts';
import { defineRow, holds, same } from '../row.ts';
import type { Properties, Stage } from '../stage.ts';
import { parseList, parseProperties } from '../table_reader.ts';
import { messagesOf, type ReadMessage, readMessage } from '../tap_reader.ts';
import { keyIn, keyQuery } from './shared.ts';

const NETWORK = 'net-id=8799129b-0b21-4a51-9bc0-aa47b0b0ef9c';

export const clearCreate = defineRow({
  number: 5,
  title: 'trove create m10, in clear',
  async act(stage) {
    const { created, built } = await create(stage, 'm10', ['--nic', NETWORK]);
    const id = await stage.idOf('m10');
    const [key] = await stage.select(keyQuery(id));
    const list = await stage.trove(['database-list', 'm10']);
    return { created, built, key, list, facts: await stage.outside.server(id) };
  },
  expectations: [
    {
      expected: 'status BUILD at once, server_id and volume_id None',
      look: ({ created }) => same([created.status, created.server_id, created.volume_id], ['BUILD', 'None', 'None']),
    },
    {
      expected: 'within a minute ACTIVE, with both',
      look: ({ built, facts }) =>
        same([built.status, built.server_id, built.volume_id], ['ACTIVE', facts.serverId, facts.volumeId]),
    },
    {
      expected: 'encrypted_key is NULL',
      look: ({ key }) => holds(String(key?.encrypted_key), key !== undefined && key.encrypted_key === null),
    },
    { expected: 'no key in its guest_info.conf', look: ({ facts }) => noKey(facts) },
    {
      expected: 'it answers: no databases yet',
      look: ({ list }) =>
        holds(
          `exit code ${list.code}, ${namesIn(list).length} databases`,
          list.code === 0 && namesIn(list).length === 0,
        ),
    },
  ],
});

export const sealedCreate = defineRow({
  number: 6,
  title: 'the three lines commented out; trove create m20, sealed',
  async act(stage) {
    await stage.outside.stopControlPlane();
    stage.print(await stage.outside.startControlPlane('sealed'));
    const files = await Promise.all(CONFIG_FILES.map((name) => stage.outside.configFile(name)));
    const { built } = await create(stage, 'm20', []);
    const id = await stage.idOf('m20');
    const [key] = await stage.select(keyQuery(id));
    const facts = await stage.outside.server(id);
    stage.print(`m20's guest_info.conf: instance_rpc_encr_key, ${keyIn(facts.guestInfo)?.length ?? 0} characters\n`);
    return { files, built, id, key, facts };
  },
  expectations: [
    {
      expected: 'the switch is commented out in all three files',
      look: ({ files }) =>
        same(
          files.filter(
            (text) => /^\s*#\s*enable_secure_rpc_messaging/m.test(text) && !/^enable_secure_rpc_messaging/m.test(text),
          ).length,
          CONFIG_FILES.length,
        ),
    },
    { expected: 'ACTIVE', look: ({ built }) => same(built.status, 'ACTIVE') },
    {
      expected: "encrypted_key is set, by the taskmanager: the api's file has no inst_rpc_key_encr_key to make it with",
      look: ({ key, files }) => {
        const apiCould = /^inst_rpc_key_encr_key/m.test(files[0] ?? '');
        return holds(
          `${String(key?.encrypted_key).slice(0, 12)}…, ${apiCould ? 'the api has the key' : 'the api has no such key'}`,
          typeof key?.encrypted_key === 'string' && !apiCould,
        );
      },
    },
    {
      expected: 'instance_rpc_encr_key in its guest_info.conf, 32 characters',
      look: ({ facts }) =>
        holds(
          `${keyIn(facts.guestInfo)?.length ?? 0} characters`,
          /^[A-Za-z0-9]{32}$/.test(keyIn(facts.guestInfo) ?? ''),
        ),
    },
    {
      expected: 'that value is what encrypted_key decrypts to',
      look: ({ files, key, id, facts }) => {
        const opened = openEncryptedKey(
          String(key?.encrypted_key),
          firstKey(files[1] ?? ''),
          id,
          Number(key?.rpc_policy),
        );
        return holds(
          opened === keyIn(facts.guestInfo) ? 'the same 32 characters' : 'another value',
          opened === keyIn(facts.guestInfo),
        );
      },
    },
  ],
});

const DATABASES = { m2: 'foo2', m10: 'foo10', m20: 'foo20' } as const;
const SPOKEN = { m2: 'clear', m10: 'clear', m20: 'sealed' } as const;
const CLIENT_USER = 'walker';
const CLIENT_PASSWORD = 'walkthrough7pass';

interface DatabaseSeen {
  readonly name: InstanceName;
  readonly before: readonly string[];
  /** The list right after the create was answered, and the list a little later. */
  readonly rightAfter: readonly string[];
  readonly after: readonly string[];
  readonly connected: string;
  readonly spoken: string;
}

type InstanceName = keyof typeof DATABASES;
const INSTANCE_NAMES = ['m2', 'm10', 'm20'] as const;

export const databases = defineRow({
  number: 7,
  title: 'database-list, database-create, database-list on m2, m10 and m20',
  async act(stage) {
    const seen: DatabaseSeen[] = [];
    for (const name of INSTANCE_NAMES) seen.push(await makeDatabase(stage, name));
    return seen;
  },
  expectations: [
    ...INSTANCE_NAMES.flatMap((name) => [
      {
        expected: `${name}: empty, then ${DATABASES[name]}`,
        look: (all: DatabaseSeen[]) => same([of(all, name)?.before, of(all, name)?.after], [[], [DATABASES[name]]]),
      },
      {
        expected: `${name}: an ordinary client finds it there`,
        look: (all: DatabaseSeen[]) => same(of(all, name)?.connected, DATABASES[name]),
      },
      {
        expected: `${name}: asked ${SPOKEN[name] === 'clear' ? 'in clear' : 'in sealed envelopes'}`,
        look: (all: DatabaseSeen[]) => same(of(all, name)?.spoken, SPOKEN[name]),
      },
    ]),
    {
      expected: "the create's answer means that it is done: a list right after shows it, on each",
      look: (all: DatabaseSeen[]) =>
        same(
          all.map((seen) => seen.rightAfter.join()),
          all.map((seen) => DATABASES[seen.name]),
        ),
    },
  ],
});

function of(all: readonly DatabaseSeen[], name: InstanceName): DatabaseSeen | undefined {
  return all.find((seen) => seen.name === name);
}

async function makeDatabase(stage: Stage, name: InstanceName): Promise<DatabaseSeen> {
  const id = await stage.idOf(name);
  const database = DATABASES[name];
  const passed = (await stage.outside.tapped()).length;
  const before = namesIn(await stage.trove(['database-list', name]));
  await stage.trove(['database-create', name, database]);
  const rightAfter = namesIn(await stage.outside.trove('admin', ['database-list', name]));
  const after = namesIn(await stage.trove(['database-list', name]));
  const spoken = wayOfSpeaking(messagesOf((await stage.outside.tapped()).slice(passed).map(readMessage), id), id);
  const connected = await connectAsUser(stage, name, database);
  return { name, before, rightAfter, after, connected, spoken };
}

function namesIn(result: CommandResult): string[] {
  return parseList(result.stdout).map((row) => row.name ?? '');
}

function wayOfSpeaking(messages: readonly ReadMessage[], id: string): string {
  const clear = messages.some(({ method }) => method === 'create_database');
  const sealed = messages.some((message) => message.sealed?.receiver === `guest:${id}`);
  return [clear ? 'clear' : '', sealed ? 'sealed' : ''].filter((word) => word !== '').join(' and ');
}

/** Makes a user as an operator would, and connects as it from outside. */
async function connectAsUser(stage: Stage, name: InstanceName, database: string): Promise<string> {
  await stage.trove(['user-create', name, CLIENT_USER, '--databases', database], 'admin', `${CLIENT_PASSWORD}\n`);
  const { address, port } = await stage.outside.server(await stage.idOf(name));
  const login = { address, port, user: CLIENT_USER, password: CLIENT_PASSWORD, database };
  const connected = await stage.outside.connect(login);
  stage.print(`a client at ${address}:${port} is connected to ${connected}\n`);
  return connected;
}

export const datastores = defineRow({
  number: 8,
  title: 'datastore-list, datastore-version-list',
  async act(stage) {
    const atHand = await stage.outside.atHand();
    const list = parseList((await stage.trove(['datastore-list'])).stdout);
    const versions = parseList((await stage.trove(['datastore-version-list', atHand.datastore])).stdout);
    return { atHand, list, versions };
  },
  expectations: [
    {
      expected: 'id and name of the datastore',
      look: ({ atHand, list }) =>
        holds(
          JSON.stringify(list),
          list.some((row) => row.name === atHand.datastore && (row.id ?? '') !== ''),
        ),
    },
    {
      expected: 'id and name of its version',
      look: ({ atHand, versions }) =>
        holds(
          JSON.stringify(versions),
          versions.some((row) => row.id === atHand.versionId && row.name === atHand.version),
        ),
    },
  ],
});

async function create(
  stage: Stage,
  name: string,
  more: readonly string[],
): Promise<{ created: Properties; built: Properties }> {
  const answer = await stage.trove(['create', name, '25', '--size', '3', ...more]);
  const created = parseProperties(answer.stdout);
  const built = await stage.showUntil(
    name,
    ({ status, operating_status }) => status === 'ACTIVE' && operating_status === 'HEALTHY',
    60_000,
  );
  return { created, built };
}

function noKey(facts: ServerFacts): { seen: string; asExpected: boolean } {
  return holds(
    keyIn(facts.guestInfo) === undefined ? 'none' : 'there is one',
    facts.guestInfo.includes('guest_id') && keyIn(facts.guestInfo) === undefined,
  );
}

function firstKey(file: string): string {
  return /^inst_rpc_key_encr_key\s*=\s*([^,\s]+)/m.exec(file)?.[1] ?? '';
}
