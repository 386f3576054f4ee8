import type { ServerFacts, SqlRow } from '../outside.ts';
import { defineRow, holds, same } from '../row.ts';
import type { Properties, Stage } from '../stage.ts';
import { parseList, parseProperties } from '../table_reader.ts';
import { messagesOf, type ReadMessage, readMessage } from '../tap_reader.ts';
import { keyIn, keyQuery } from './shared.ts';

interface Upgraded {
  readonly id: string;
  readonly before: Properties;
  readonly during: Properties;
  readonly after: Properties;
  readonly oldServer: ServerFacts;
  readonly newServer: ServerFacts;
  readonly key: SqlRow | undefined;
  readonly messages: readonly ReadMessage[];
}

async function upgrade(stage: Stage, name: string): Promise<Upgraded> {
  const id = await stage.idOf(name);
  const { versionId } = await stage.outside.atHand();
  const before = parseProperties((await stage.trove(['show', name])).stdout);
  const oldServer = await stage.outside.server(id);
  await stage.outside.leaveMarkers(id);
  const passed = (await stage.outside.tapped()).length;
  await stage.trove(['upgrade', name, versionId]);
  const during = parseProperties((await stage.trove(['show', name])).stdout);
  const after = await stage.showUntil(
    name,
    ({ status, operating_status }) => status === 'ACTIVE' && operating_status === 'HEALTHY',
  );
  const [key] = await stage.select(keyQuery(id));
  const newServer = await stage.outside.server(id);
  const messages = messagesOf((await stage.outside.tapped()).slice(passed).map(readMessage), id);
  return { id, before, during, after, oldServer, newServer, key, messages };
}

export const upgradeToSealed = defineRow({
  number: 9,
  title: 'trove upgrade m2: from clear to sealed',
  async act(stage) {
    const upgraded = await upgrade(stage, 'm2');
    return {
      ...upgraded,
      databases: parseList((await stage.trove(['database-list', 'm2'])).stdout).map((row) => row.name),
    };
  },
  expectations: [
    { expected: 'status UPGRADE', look: ({ during }) => same(during.status, 'UPGRADE') },
    {
      expected: 'the server is rebuilt: what was planted outside the volume is gone',
      look: ({ oldServer, newServer }) =>
        holds(newServer.rootMarker ? 'still there' : 'gone', !oldServer.rootMarker && !newServer.rootMarker),
    },
    {
      expected: 'same id, same address, same volume, and what was planted in it',
      look: ({ oldServer, newServer }) => {
        const { seen, asExpected } = same(identity(newServer), identity(oldServer));
        return holds(
          `${seen}, ${newServer.volumeMarker ? 'the file is there' : 'the file is gone'}`,
          asExpected && newServer.volumeMarker,
        );
      },
    },
    { expected: 'then ACTIVE', look: ({ after }) => same(after.status, 'ACTIVE') },
    {
      expected: '`updated` moved',
      look: ({ before, after }) =>
        holds(`${before.updated} to ${after.updated}`, (after.updated ?? '') > (before.updated ?? 'z')),
    },
    {
      expected: 'encrypted_key is set',
      look: ({ key }) => holds(`${String(key?.encrypted_key).slice(0, 12)}…`, typeof key?.encrypted_key === 'string'),
    },
    {
      expected: 'a key in its guest_info.conf',
      look: ({ newServer }) =>
        holds(
          `${keyIn(newServer.guestInfo)?.length ?? 0} characters`,
          /^[A-Za-z0-9]{32}$/.test(keyIn(newServer.guestInfo) ?? ''),
        ),
    },
    { expected: 'database-list m2 still shows foo2', look: ({ databases }) => same(databases, ['foo2']) },
  ],
});

const STEPS = (id: string) => `select s.name, s.state from task_steps s join tasks t on t.id = s.task_id
  where t.instance_id = '${id}' and t.kind = 'upgrade_instance' order by s.started, s.name`;

/** What an upgrade does, in this order; a step's name holds one of these words. */
const ORDER = ['pre_upgrade', 'pending_key', 'rebuild', 'await_agent', 'post_upgrade', 'adopt_key'] as const;

export const upgradeOrder = defineRow({
  number: 10,
  title: 'trove upgrade m4: what the taskmanager does, in its order',
  async act(stage) {
    const upgraded = await upgrade(stage, 'm4');
    return { ...upgraded, steps: await stage.select(STEPS(upgraded.id)) };
  },
  expectations: [
    {
      expected: 'status UPGRADE, then ACTIVE',
      look: ({ during, after }) => same([during.status, after.status], ['UPGRADE', 'ACTIVE']),
    },
    {
      expected: 'the journal: pre_upgrade, a pending key, rebuild, hello, post_upgrade, the key adopted, all done',
      look: ({ steps }) => {
        const names = steps.map((step) => `${step.name}`);
        const places = ORDER.map((word) => names.findIndex((name) => name.includes(word)));
        const inOrder = places.every((place, index) => place >= 0 && (index === 0 || place > (places[index - 1] ?? 0)));
        return holds(names.join(', '), inOrder && steps.every((step) => step.state === 'done'));
      },
    },
    {
      expected: 'the tap: pre_upgrade called in clear',
      look: ({ messages }) =>
        holds(
          clearMethods(messages),
          messages.some(({ method }) => method === 'pre_upgrade'),
        ),
    },
    {
      expected: 'the tap: after it sealed calls to the guest, and no method in clear any more',
      look: ({ messages, id }) => {
        const firstSealed = messages.findIndex(({ sealed }) => sealed?.receiver === `guest:${id}`);
        const preUpgrade = messages.findIndex(({ method }) => method === 'pre_upgrade');
        const clearAfter = messages.slice(Math.max(firstSealed, 0)).filter(({ method }) => method !== undefined);
        const seen = `${messages.filter(({ sealed }) => sealed?.receiver === `guest:${id}`).length} sealed calls, then in clear: ${clearMethods(clearAfter)}`;
        return holds(seen, preUpgrade >= 0 && firstSealed > preUpgrade && clearAfter.length === 0);
      },
    },
    {
      expected: 'a key in the catalog and in its guest_info.conf',
      look: ({ key, newServer }) =>
        holds(
          `${String(key?.encrypted_key).slice(0, 12)}…, ${keyIn(newServer.guestInfo)?.length ?? 0} characters`,
          typeof key?.encrypted_key === 'string' && keyIn(newServer.guestInfo)?.length === 32,
        ),
    },
  ],
});

function identity(facts: ServerFacts): Pick<ServerFacts, 'serverId' | 'address' | 'port' | 'volumeId'> {
  return { serverId: facts.serverId, address: facts.address, port: facts.port, volumeId: facts.volumeId };
}

function clearMethods(messages: readonly ReadMessage[]): string {
  const names = [...new Set(messages.flatMap(({ method }) => (method === undefined ? [] : [method])))];
  return names.length === 0 ? 'nothing' : names.join(', ');
}
