import { describe, expect, test } from 'vitest';
import { BROKERS } from '../../test/each_bus.ts';
import { guestClient, PeerTable, refusals, until } from '../../test/fixtures.ts';
import {
  decryptText,
  encryptText,
  type LegacyMessage,
  makeEnvelope,
  openEnvelope,
  textOf,
} from '../../test/legacy_decoder.ts';
import { LEGACY_PROPERTIES } from './legacy_caller.ts';

const NOTHING_TO_PREPARE = {
  packages: [],
  databases: [],
  memory_mb: 512,
  users: [],
  device_path: null,
  mount_point: null,
  backup_info: null,
  config_contents: null,
  root_password: null,
  overrides: null,
  cluster_config: null,
  snapshot: null,
  modules: null,
  ds_version: null,
};

const PAGE = { limit: 20, marker: null, include_marker: false };

/** A guest of Trove with a key, as the vectors show it: it shares nothing with our own agent. */
describe.each(BROKERS)('a v1 guest %s', (_name, makeBroker) => {
  const withGuest = async (
    answer: (request: LegacyMessage, key: string) => LegacyMessage[],
    body: (around: {
      client: ReturnType<typeof guestClient>;
      instanceId: string;
      instanceKey: string;
      seen: LegacyMessage[];
      reasons: string[];
    }) => Promise<void>,
  ): Promise<void> => {
    const broker = await makeBroker();
    const bus = await broker.open();
    const table = new PeerTable();
    const { instanceId, instanceKey } = table.add(1);
    const { reasons, onRefused } = refusals();
    const client = guestClient(bus, table, onRefused);
    const seen: LegacyMessage[] = [];
    await client.declareGuest(instanceId, 1);
    await bus.consume(`guestagent.${instanceId}`, { prefetch: 1 }, async (delivery) => {
      delivery.ack();
      const request = openEnvelope(delivery.body);
      seen.push(request);
      if (request['_reply_q'] === undefined) return;
      for (const reply of answer(request, instanceKey)) {
        const message = {
          result: null,
          failure: null,
          ending: true,
          _msg_id: request['_msg_id'],
          _unique_id: 'u',
          ...reply,
        };
        const routingKey = textOf(request, '_reply_q');
        await bus.publish({
          exchange: '',
          routingKey,
          body: makeEnvelope(message),
          ...LEGACY_PROPERTIES,
          mandatory: false,
        });
      }
    });
    try {
      await body({ client, instanceId, instanceKey, seen, reasons });
    } finally {
      await client.close();
      await broker.dispose();
    }
  };

  test('is asked under its key, and its sealed result opens', async () => {
    const result = [[{ _name: 'foo20', _character_set: 'utf8', _collate: 'utf8_general_ci' }], null];
    await withGuest(
      (_request, key) => [{ result: encryptText(JSON.stringify(result), key) }],
      async ({ client, instanceId, instanceKey, seen }) => {
        expect(await client.call(instanceId, 'list_databases', PAGE, { deadlineMs: 5000 })).toEqual(result);
        const [request] = seen;
        const args = request?.['args'] as Record<string, string>;
        expect(JSON.parse(decryptText(args['limit'] ?? '', instanceKey))).toBe(20);
        expect(JSON.parse(decryptText(args['marker'] ?? '', instanceKey))).toBeNull();
        expect(JSON.stringify(request)).not.toContain('auth_token');
      },
    );
  });

  test('cannot be answered for in clear: such a result is dropped and the call stays pending', async () => {
    await withGuest(
      (_request, key) => [
        { result: [[], null] },
        { result: null },
        { result: encryptText('[[], null]', 'another key') },
        { result: encryptText('[[{"_name":"real"}], null]', key) },
      ],
      async ({ client, instanceId, reasons }) => {
        const answer = await client.call(instanceId, 'list_databases', PAGE, { deadlineMs: 5000 });
        expect(answer).toEqual([[{ _name: 'real' }], null]);
        expect(reasons).toHaveLength(3);
      },
    );
  });

  test('may fail in clear, which says that it refused and nothing more', async () => {
    const failure = JSON.stringify({
      class: 'NotFound',
      message: 'pay here: evil.example',
      kwargs: { code: 'ALREADY_DONE' },
    });
    await withGuest(
      () => [{ failure }],
      async ({ client, instanceId }) => {
        await expect(client.call(instanceId, 'restart', {}, { deadlineMs: 5000 })).rejects.toMatchObject({
          code: 'GUEST_ERROR',
          message: 'The guest agent refused the request.',
        });
      },
    );
  });

  test('is cast to where Trove casts, and a method that it cannot know is not sent', async () => {
    await withGuest(
      () => [],
      async ({ client, instanceId, instanceKey, seen }) => {
        const users = [{ _name: 'u', _password: 'pw', _host: '%' }];
        const prepared = client.call(instanceId, 'prepare', { ...NOTHING_TO_PREPARE, users }, { deadlineMs: 5000 });
        expect(await prepared).toEqual({ accepted: true });
        await until(() => seen.length === 1);
        expect(seen[0]).not.toHaveProperty('_msg_id');
        expect(JSON.stringify(seen)).not.toContain('pw"');
        const args = seen[0]?.['args'] as Record<string, string>;
        expect(JSON.parse(decryptText(args['users'] ?? '', instanceKey))).toEqual(users);
        const outcome = client.call(instanceId, 'get_outcome', { idempotency_key: 'k' }, { deadlineMs: 5000 });
        await expect(outcome).rejects.toMatchObject({ code: 'NOT_IMPLEMENTED' });
      },
    );
  });
});
