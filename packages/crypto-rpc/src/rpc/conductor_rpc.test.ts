import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BROKERS, type Broker } from '../../test/each_bus.ts';
import { CONTROL_EXCHANGE, firstKey, guestHandlers, logger, PeerTable, refusals, until } from '../../test/fixtures.ts';
import { makeEnvelope, sealedReport } from '../../test/legacy_decoder.ts';
import type { Bus, Publication } from '../bus/bus.ts';
import { createConductorServer } from './conductor_server.ts';
import { createGuestServer } from './guest_server.ts';
import { hexId, LEGACY_PROPERTIES } from './legacy_caller.ts';
import type { RefusalReason } from './refusal.ts';
import { UP_EXCHANGE } from './topology.ts';
import type { EventReport, GuestServer, HeartbeatReport, RpcServer } from './types.ts';

const payload = { service_status: 'healthy' };

describe.each(BROKERS)('guest and conductor %s', (_name, makeBroker) => {
  let broker: Broker;
  let bus: Bus;
  let table: PeerTable;
  let conductor: RpcServer;
  let reasons: RefusalReason[];
  let batches: (readonly HeartbeatReport[])[];
  let events: EventReport[];
  let failing: boolean;
  const late: string[] = [];

  const heartbeats = (): readonly HeartbeatReport[] => batches.flat();

  const startConductor = async (allowPlaintext = true): Promise<void> => {
    const counted = refusals();
    reasons = counted.reasons;
    conductor = createConductorServer({
      sealedBus: bus,
      legacyBus: bus,
      keyStore: table,
      controlExchange: CONTROL_EXCHANGE,
      allowPlaintext,
      handlers: {
        heartbeats: async (batch) => {
          if (failing) throw new Error('the catalog is gone');
          batches.push(batch);
        },
        helloWanted: async (instanceId) => void late.push(instanceId),
        event: async (report) => {
          if (failing) throw new Error('the catalog is gone');
          events.push(report);
        },
      },
      logger,
      onRefused: counted.onRefused,
    });
    await conductor.start();
  };

  beforeEach(async () => {
    broker = await makeBroker();
    bus = await broker.open();
    table = new PeerTable();
    batches = [];
    events = [];
    failing = false;
    await startConductor();
  });

  afterEach(async () => {
    await conductor.close();
    await broker.dispose();
  });

  const guest = (instanceId: string, instanceKey?: string): GuestServer =>
    createGuestServer({
      bus,
      instanceId,
      ...(instanceKey === undefined ? {} : { keys: firstKey(instanceKey) }),
      controlExchange: CONTROL_EXCHANGE,
      handlers: guestHandlers(),
      logger,
    });

  const legacy = (body: Buffer): Promise<void> => {
    const publication: Publication = {
      exchange: CONTROL_EXCHANGE,
      routingKey: 'trove-conductor',
      body,
      ...LEGACY_PROPERTIES,
      mandatory: true,
    };
    return bus.publish(publication);
  };

  const clearReport = (instanceId: string, args: object = {}, uniqueId = hexId()): Buffer =>
    makeEnvelope({
      method: 'heartbeat',
      args: { instance_id: instanceId, payload, sent: 1483986416.52, ...args },
      version: '1.0',
      _unique_id: uniqueId,
      _context_request_id: 'req-1',
    });

  test('sealed heartbeats arrive in batches, with the boot and a growing number', async () => {
    const { instanceId, instanceKey } = table.add(2);
    const server = guest(instanceId, instanceKey);
    const args = { instance_id: instanceId, payload: { ...payload, volume_used: 0.1, volume_total: 2 } };
    await Promise.all([1, 2, 3].map(() => server.report('heartbeat', args)));
    await until(() => heartbeats().length === 3);
    expect(batches.length).toBeLessThan(3);
    expect(heartbeats().map(({ sequence }) => sequence)).toEqual([1n, 2n, 3n]);
    expect(heartbeats()[0]).toMatchObject({ instanceId, method: 'heartbeat', args, legacy: false });
    expect(heartbeats()[0]?.bootNonce?.equals(server.bootNonce)).toBe(true);
  });

  test('an event arrives by itself, and goes round again while its effect fails', async () => {
    const { instanceId, instanceKey } = table.add(2);
    failing = true;
    await guest(instanceId, instanceKey).report('report_root', { instance_id: instanceId });
    setTimeout(() => {
      failing = false;
    }, 200);
    await until(() => events.length === 1);
    expect(events[0]).toMatchObject({ instanceId, method: 'report_root' });
  });

  test('a report about another instance is refused, whoever signed it', async () => {
    const { instanceId, instanceKey } = table.add(2);
    const other = table.add(2).instanceId;
    await guest(instanceId, instanceKey).report('heartbeat', { instance_id: other, payload });
    await until(() => reasons.length === 1);
    expect(reasons).toEqual(['foreign_id']);
  });

  test('a sealed guest is heard under its live key only, and an unknown one not at all', async () => {
    const { instanceId, instanceKey } = table.add(2);
    const server = guest(instanceId, instanceKey);
    const report = { instance_id: instanceId, payload };
    table.change(instanceId, { pendingOnly: true });
    await server.report('heartbeat', report);
    await until(() => reasons.length === 1);
    const stranger = randomUUID();
    await guest(stranger, 'another key').report('heartbeat', { ...report, instance_id: stranger });
    await until(() => reasons.length === 2);
    table.change(instanceId, { pendingOnly: false });
    await guest(instanceId, 'another key').report('heartbeat', report);
    await until(() => reasons.length === 3);
    expect(reasons).toEqual(['key_version', 'unknown_sender', 'commitment']);
    expect(heartbeats()).toEqual([]);
  });

  test('after a cut the same reports arrive, and lost acknowledgements bring them again', async () => {
    const { instanceId, instanceKey } = table.add(2);
    const server = guest(instanceId, instanceKey);
    await broker.cut();
    await server.report('heartbeat', { instance_id: instanceId, payload });
    await until(() => heartbeats().length >= 1);
    expect(heartbeats()[0]).toMatchObject({ instanceId });
  });

  test('our agent without a key is heard as one of Trove, without the figures that Trove has not', async () => {
    const { instanceId } = table.add(0);
    const server = guest(instanceId);
    await server.report('heartbeat', { instance_id: instanceId, payload: { ...payload, volume_used: 1 } });
    await until(() => heartbeats().length === 1);
    expect(heartbeats()[0]).toMatchObject({ legacy: true, bootNonce: null, sequence: null, args: { payload } });
    expect(heartbeats()[0]?.args.payload).toEqual(payload);
    expect(heartbeats()[0]?.args.sent).toBeTypeOf('number');
  });

  test('a v1 guest is heard under its key, and in clear it is refused', async () => {
    const { instanceId, instanceKey } = table.add(1);
    const args = { instance_id: instanceId, payload, sent: 12.5 };
    await legacy(sealedReport('heartbeat', args, instanceId, instanceKey, hexId()));
    await until(() => heartbeats().length === 1);
    expect(heartbeats()[0]).toMatchObject({ instanceId, args, legacy: true });
    await legacy(clearReport(instanceId));
    await legacy(sealedReport('heartbeat', { ...args, instance_id: randomUUID() }, instanceId, instanceKey, hexId()));
    await until(() => reasons.length === 2);
    expect(reasons).toEqual(['foreign_id', 'foreign_id']);
    expect(heartbeats()).toHaveLength(1);
  });

  test('a v2 instance is refused on the queues of legacy guests, in clear and as v1', async () => {
    const { instanceId, instanceKey } = table.add(2);
    await legacy(clearReport(instanceId));
    await legacy(sealedReport('heartbeat', { instance_id: instanceId, payload }, instanceId, instanceKey, hexId()));
    await until(() => reasons.length === 2);
    expect(reasons).toEqual(['policy', 'policy']);
  });

  test('a repeated unique id is dropped, and one sender cannot use up another one’s', async () => {
    const one = table.add(0).instanceId;
    const other = table.add(0).instanceId;
    const id = hexId();
    await legacy(clearReport(one, {}, id));
    await legacy(clearReport(one, {}, id));
    await legacy(clearReport(other, {}, id));
    await until(() => heartbeats().length === 2 && reasons.length === 1);
    expect(reasons).toEqual(['duplicate']);
  });

  test('a unique id that is none is refused, not remembered', async () => {
    const { instanceId } = table.add(0);
    for (const id of ['', 'x'.repeat(500_000)]) await legacy(clearReport(instanceId, {}, id));
    await until(() => reasons.length === 2);
    expect(reasons).toEqual(['content', 'content']);
  });

  test('a time of sending far ahead counts as now', async () => {
    const { instanceId } = table.add(0);
    await legacy(clearReport(instanceId, { sent: 9_999_999_999 }));
    await until(() => heartbeats().length === 1);
    expect(heartbeats()[0]?.args.sent).toBeLessThanOrEqual(Date.now() / 1000);
  });

  test('instances in clear are refused where plaintext is not allowed', async () => {
    await conductor.close();
    await startConductor(false);
    await legacy(clearReport(table.add(0).instanceId));
    await until(() => reasons.length === 1);
    expect(reasons).toEqual(['policy']);
  });

  test('rubbish, a copied route and a message for somebody else are refused and end nothing', async () => {
    const { instanceId, instanceKey } = table.add(2);
    const up = { exchange: UP_EXCHANGE, contentType: 'x', persistent: false, mandatory: true };
    const routingKey = `hb.0.${instanceId}`;
    await bus.publish({ ...up, routingKey, body: Buffer.from('{}') });
    await bus.publish({ ...up, routingKey, body: Buffer.alloc(700), headers: { CC: ['x'] } });
    await legacy(Buffer.from('{"oslo.version":"2.0","oslo.message":"{}"}'));
    await until(() => reasons.length === 3);
    expect(new Set(reasons)).toEqual(new Set(['shape', 'copied_route', 'content']));
    await guest(instanceId, instanceKey).report('heartbeat', { instance_id: instanceId, payload });
    await until(() => heartbeats().length === 1);
  });

  test('heartbeats that could not be stored are dropped: newer ones follow', async () => {
    const { instanceId, instanceKey } = table.add(2);
    const server = guest(instanceId, instanceKey);
    failing = true;
    await server.report('heartbeat', { instance_id: instanceId, payload });
    await new Promise((resolve) => setTimeout(resolve, 150));
    failing = false;
    await server.report('heartbeat', { instance_id: instanceId, payload });
    await until(() => heartbeats().length === 1);
    expect(heartbeats()[0]?.sequence).toBe(2n);
  });
});
