import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CONTROL_EXCHANGE, guestClient, guestHandlers, logger, PeerTable, until } from '../../test/fixtures.ts';
import { openEnvelope, textOf } from '../../test/legacy_decoder.ts';
import { createMemoryBroker } from '../bus/memory_broker.ts';
import type { TappedMessage } from '../bus/options.ts';
import { pythonJson } from '../codecs/oslo/python_json.ts';
import { createGuestServer } from './guest_server.ts';
import { legacyTopology } from './topology.ts';

interface Captured {
  readonly exchange: string;
  readonly routing_key: string;
  readonly properties: { readonly expiration?: string };
  readonly body: object;
}

const file: { instance_id: string; messages: Captured[] } = JSON.parse(
  readFileSync(new URL('../../vectors/guest-plaintext.json', import.meta.url), 'utf8'),
);

/** What an `oslo.messaging` peer makes anew for each message; everything else must be the same to the byte. */
const MADE_ANEW = ['_unique_id', '_msg_id', '_reply_q', '_context_request_id'];

/** The captured bytes with the ids that ours made in the place of those that Trove made. */
function capturedWithIdsOf(captured: Captured, ours: TappedMessage): string {
  const theirs = openEnvelope(Buffer.from(pythonJson(captured.body)));
  const mine = openEnvelope(ours.body);
  let text = pythonJson(captured.body);
  for (const name of MADE_ANEW) {
    if (name in theirs && theirs[name] !== null) text = text.replaceAll(textOf(theirs, name), textOf(mine, name));
  }
  return text;
}

test('a guest without a key and its caller put on the wire what was captured from Trove, byte by byte', async () => {
  const [request, reply, heartbeat] = file.messages as [Captured, Captured, Captured];
  const broker = createMemoryBroker();
  const tapped: TappedMessage[] = [];
  broker.tap((message) => tapped.push(message));
  const bus = broker.bus();
  const table = new PeerTable();
  const { instanceId } = table.add(0, { instanceId: file.instance_id });
  const client = guestClient(bus, table);
  await client.declareGuest(instanceId, 0);
  await bus.declare(legacyTopology(CONTROL_EXCHANGE, 'trove-conductor', 'host'));
  const databases = [{ _name: 'foo20', _character_set: 'utf8', _collate: 'utf8_general_ci' }];
  const guest = createGuestServer({
    bus,
    instanceId,
    controlExchange: CONTROL_EXCHANGE,
    handlers: guestHandlers({ list_databases: async () => [databases, null] }),
    logger,
  });
  await guest.start();
  await client.call(
    instanceId,
    'list_databases',
    { limit: 20, marker: null, include_marker: false },
    { deadlineMs: 10_000 },
  );
  await guest.report('heartbeat', {
    instance_id: instanceId,
    payload: { service_status: 'building' },
    sent: 1483986416.52,
  });
  await until(() => tapped.length === 3);

  for (const [index, captured] of [request, reply, heartbeat].entries()) {
    const ours = tapped[index] as TappedMessage;
    expect(ours.body.toString('latin1')).toBe(capturedWithIdsOf(captured, ours));
  }
  expect(tapped.map(({ exchange, routingKey }) => [exchange, routingKey])).toEqual([
    [request.exchange, request.routing_key],
    ['', expect.stringMatching(/^reply_[0-9a-f]{32}$/)],
    [heartbeat.exchange, heartbeat.routing_key],
  ]);

  await guest.close();
  await client.close();
  await bus.close();
});
