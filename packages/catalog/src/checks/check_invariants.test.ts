import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, newUuid, Secret, systemClock, uuidV5 } from '@trove/common';
import { TASK_STATUSES } from '@trove/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FLAVOR, KI, Planted, PROJECT, RINGS } from '../../test/planted.ts';
import { checkInvariants, type InvariantDeps } from './check_invariants.ts';
import type { Finding, InvariantId } from './findings.ts';

describe.each(['mysql', 'sqlite'] as const)('the invariants on %s', (dialect) => {
  let planted: Planted;

  beforeAll(async () => {
    planted = await Planted.open(dialect);
  });
  afterAll(() => planted.catalog.dispose());
  beforeEach(() => planted.clear());

  const check = async (changes: Partial<InvariantDeps> = {}) =>
    checkInvariants({
      catalog: planted.catalog,
      things: { read: async () => planted.things },
      flavors: { read: async () => [FLAVOR] },
      broker: { read: async () => planted.broker },
      rings: RINGS,
      logs: { files: [], secrets: [] },
      effects: { read: async () => [] },
      settleMs: 0,
      ...changes,
    });
  const findings = async (changes: Partial<InvariantDeps> = {}): Promise<Partial<Record<InvariantId, string[]>>> => {
    const { results } = await check(changes);
    const named = results.filter((result) => result.findings.length > 0);
    return Object.fromEntries(named.map((result) => [result.invariant, result.findings.map(whatOf)]));
  };
  it('hold for instances at rest, of ours and adopted, and say what was not looked at', async () => {
    const { id } = await planted.instance();
    await planted.key(id);
    const adopted = { task_id: null, server_status: null, tenant_id: 'old', flavor_id: 'novas' };
    await planted.catalog
      .knex('instances')
      .insert({ id: newUuid(), deleted: 0, rpc_policy: 0, compute_instance_id: 'x', ...adopted });
    await planted.charge({ instances: 1, volumes: 3, ram: 512 });
    planted.thing('server', newUuid(), { deploymentId: newUuid() });
    const { results, findings: number } = await check({ effects: { notChecked: 'nobody counts' } });
    expect(results.flatMap((result) => result.findings)).toEqual([]);
    expect(number).toBe(0);
    expect(results.map((result) => result.invariant)).toEqual([
      'I1',
      'I2',
      'I3',
      'I4',
      'I5',
      'I6',
      'I7',
      'I8',
      'I9',
      'I10',
    ]);
    const silent = Object.fromEntries(results.map((result) => [result.invariant, result.notChecked]));
    expect(silent['I5']).toEqual(['memory of project old: flavors that compute does not know']);
    expect(silent['I8']).toEqual(['nobody counts']);
    expect(silent['I9']).toContain('logs: no files were given');
  });

  it('I1: a task past its deadline, and not one that waits for it, nor one that is a moment late', async () => {
    const { id } = await planted.instance();
    const long_ago = Date.now() * 1000 - 300_000_000;
    const holder = await planted.task(id, { kind: 'create_instance', state: 'compensating', deadline: long_ago });
    await planted.task(id, { kind: 'delete_instance', state: 'pending', after_task: holder, deadline: long_ago });
    await planted.slot(id, holder);
    const late = await planted.instance();
    const moment = await planted.task(late.id, { deadline: Date.now() * 1000 - 1_000_000 });
    await planted.slot(late.id, moment);
    expect(await findings()).toEqual({ I1: [`task ${holder} (create_instance) is compensating past its deadline`] });
  });

  it('I2: an action that nobody is at work on, a slot that nobody frees; not what shows ERROR', async () => {
    const { id } = await planted.instance({ task_id: TASK_STATUSES.UPGRADING.code });
    const worked = await planted.instance({ task_id: TASK_STATUSES.REBOOTING.code });
    const rebooting = await planted.task(worked.id);
    await planted.slot(worked.id, rebooting);
    await planted.instance({ task_id: TASK_STATUSES.DELETING.code, server_status: 'ERROR' });
    await planted.instance({ task_id: TASK_STATUSES.BUILDING_ERROR_SERVER.code });
    const held = await planted.instance();
    const done = await planted.task(held.id, { state: 'done' });
    await planted.slot(held.id, done);
    const { I2, ...others } = await findings();
    expect(others).toEqual({});
    expect(I2).toEqual([
      'shows UPGRADING and no task is at work on it',
      `its slot is held by task ${done}, which has ended or is not there`,
    ]);
    expect((await check()).results[1]?.findings[0]?.instanceId).toBe(id);
  });

  it('I3: what nobody owns, what two own, what is lost; not what a task is at', async () => {
    const { id, server } = await planted.instance();
    await planted.catalog.knex('instances').where({ id }).update({ volume_id: null });
    const extra = planted.thing('volume', id, { clientToken: 'gone before' });
    await planted.resource(extra, { state: 'gone' });
    const unheard = planted.thing('server', newUuid());
    const twin = await planted.instance({ compute_instance_id: server.id });
    const busy = await planted.instance();
    const working = await planted.task(busy.id);
    await planted.slot(busy.id, working);
    planted.thing('server', busy.id, { clientToken: 'in flight' });
    const lost = planted.things.find((one) => one.clientToken === `volume-${twin.id}`)?.id;
    planted.things = planted.things.filter((one) => one.id !== lost && one.clientToken !== `volume-${busy.id}`);
    const { I3 = [], ...others } = await findings();
    expect(others).toEqual({});
    expect(I3).toHaveLength(4);
    expect(new Set(I3)).toEqual(
      new Set([
        `volume ${extra.id} carries this deployment's id and has no owner in the catalog`,
        `server ${unheard.id} carries this deployment's id and has no owner in the catalog`,
        `server ${server.id} is named by ${[id, twin.id].toSorted().join(' and ')}`,
        `volume ${lost} stands in the catalog as live and is not there`,
      ]),
    );
  });

  it('I3: where this machine has nothing at all, nothing is said to be lost', async () => {
    await planted.instance();
    planted.things = [];
    const { findings: number, results } = await check();
    expect(number).toBe(0);
    expect(results[2]?.notChecked[0]).toMatch(/^this machine's compute has nothing of the deployment/);
  });

  it('I3 and I10: accounts and queues of deleted instances, lost accounts, dead letters, queues that stand', async () => {
    const gone = newUuid();
    await planted.catalog.knex('instances').insert({ id: gone, deleted: 1, rpc_policy: 2 });
    const { id } = await planted.instance();
    await planted.catalog.knex('resources').insert({
      token: `account-${id}`,
      kind: 'broker_account',
      external_id: `guest-${id}`,
      instance_id: id,
      state: 'live',
    });
    const [orphan, others, given] = [newUuid(), newUuid(), await planted.instance()];
    const counted = { kind: 'broker_account', instance_id: given.id, state: 'gone' };
    await planted.catalog.knex('resources').insert({ token: `account-${given.id}`, ...counted });
    const ours = [planted.deploymentId];
    planted.broker = {
      accounts: ['trove', ...[gone, newUuid(), orphan, others, given.id].map((of) => `guest-${of}`)],
      marks: new Map([
        ...[id, gone, orphan, given.id].map((of): [string, string[]] => [`guest-${of}`, ours]),
        [`guest-${others}`, [...ours, 'another']],
      ]),
      queues: [
        ...[orphan, others].map((of) => ({ name: `guest.${of}`, messages: 0, consumers: 0 })),
        { name: `guest.${gone}`, messages: 3, consumers: 0 },
        { name: `guest.${id}`, messages: 0, consumers: 2 },
        { name: 'trove.dead', messages: 2, consumers: 0 },
        { name: 'conductor.ev', messages: 9, consumers: 0 },
        { name: 'conductor.hb.0', messages: 9, consumers: 1 },
      ],
    };
    expect((await check()).results[2]?.notes?.join()).toMatch(/^1 guest queues are of no instance/);
    expect(await findings()).toEqual({
      I3: [
        `account guest-${gone} is there, and its instance is deleted`,
        `queue guest.${gone} is there, and its instance is deleted`,
        ...[orphan, given.id].map(
          (of) => `account guest-${of} carries this deployment's id and has no owner in the catalog`,
        ),
        `broker account guest-${id} counts in the catalog and is not on the broker`,
      ],
      I4: ['2 agents listen on its queue'],
      I10: [
        'queue trove.dead has 2 dead letters wait to be explained',
        'queue conductor.ev has 9 messages and nobody who takes them',
      ],
    });
  });

  it('I4: two servers, two guests under one key', async () => {
    const { id } = await planted.instance();
    const second = planted.thing('server', id, { clientToken: 'second' });
    await planted.resource(second);
    await planted.catalog.knex('instance_reports').insert({ instance_id: id, quarantined_at: Date.now() * 1000 });
    expect(await findings()).toEqual({
      I4: [expect.stringMatching(/^has 2 servers: /), 'two guests answered under its key: it is in quarantine'],
    });
  });

  it('I5: a project that is charged for other than it has; those of builds under way apart, of ended resizes not', async () => {
    const { id } = await planted.instance();
    await planted.instance();
    await planted.catalog.knex('reservations').insert([
      { id: uuidV5(id, 'quota:volumes'), delta: 3, status: 'Reserved' },
      { id: uuidV5(id, 'quota:growth:volumes'), delta: 2, status: 'Reserved' },
    ]);
    await planted.charge({ volumes: 3 }, 3);
    expect(await findings()).toEqual({});
    await planted.charge({ instances: 5, backups: 1 });
    expect(await findings()).toEqual({
      I5: [
        `project ${PROJECT} is charged 1 + 0 reserved of backups, and has 0 + 0`,
        `project ${PROJECT} is charged 5 + 0 reserved of instances, and has 2 + 0`,
      ],
    });
  });

  it('I6: a key that differs, does not open, is missing or left, and a policy that went down', async () => {
    const [differs, closed, lowered, keyless] = await Promise.all([
      planted.instance(),
      planted.instance(),
      planted.instance(),
      planted.instance(),
    ]);
    await planted.key(differs.id, new Secret('another-key-than-the-instances-1'));
    await planted.key(closed.id);
    await planted.catalog.knex('instances').where({ id: closed.id }).update({ encrypted_key: 'v2.00000000.1.x.y' });
    await planted.key(lowered.id);
    await planted.catalog.knex('instances').where({ id: lowered.id }).update({ rpc_policy: 0 });
    await planted.catalog.knex('instances').where({ id: keyless.id }).update({ rpc_policy: 2 });
    const gone = newUuid();
    await planted.catalog.knex('instances').insert({ id: gone, deleted: 1, rpc_policy: 2 });
    await planted.key(gone);
    const { results } = await check();
    const found = results.find((result) => result.invariant === 'I6')?.findings ?? [];
    expect(new Map(found.map((one) => [one.instanceId, one.what]))).toEqual(
      new Map([
        [lowered.id, 'its policy is 0, and that of its key is 2: it went down'],
        [keyless.id, 'its policy is 2, and it has no key'],
        [gone, 'version 1 of its key rests in the catalog, and the instance is deleted'],
        [closed.id, 'its key does not open under inst_rpc_key_encr_key'],
        [differs.id, 'its key is another than version 1 of it'],
      ]),
    );
    const blind = await check({ rings: { notChecked: 'no keys here' } });
    expect(blind.results[5]?.notChecked).toEqual(['no keys here']);
  });

  it('I7: a failure without a fault, a task without its slot; not a failure that was made good or is shown', async () => {
    const [silent, shown, healed, lost] = await Promise.all([
      planted.instance(),
      planted.instance(),
      planted.instance(),
      planted.instance(),
    ]);
    const failed = { state: 'failed', error: '{"code":"INTERNAL","message":"no"}', created: 1, updated: 1 } as const;
    const bad = await planted.task(silent.id, failed);
    await planted.task(shown.id, failed);
    const fault = { message: 'no', details: 'no', created: '2026-01-01 00:00:00', updated: '2026-01-01 00:00:00' };
    await planted.catalog
      .knex('instance_faults')
      .insert({ id: newUuid(), instance_id: shown.id, deleted: 0, ...fault });
    await planted.task(healed.id, failed);
    await planted.task(healed.id, { state: 'done', created: 2 });
    const slotless = await planted.task(lost.id, { state: 'waiting' });
    expect(await findings()).toEqual({
      I7: [
        `task ${slotless} (restart_instance) has not ended and does not hold its instance's slot`,
        `task ${bad} (restart_instance) failed, and the instance shows no fault`,
      ],
    });
  });

  it('I8: what guests did twice', async () => {
    const effect = { instanceId: newUuid(), method: 'create_database', times: 1 };
    const effects = [
      { ...effect, idempotencyKey: 'a' },
      { ...effect, idempotencyKey: 'b', times: 2 },
    ];
    expect(await findings({ effects: { read: async () => effects } })).toEqual({
      I8: ['create_database took effect 2 times under idempotency key b'],
    });
  });

  it("I9: a guest's key in a log, whatever its form, across the pieces in which it is read", async () => {
    const { id } = await planted.instance();
    await planted.key(id);
    const folder = mkdtempSync(join(tmpdir(), 'trove-logs-'));
    const [clean, dirty] = [join(folder, 'clean'), join(folder, 'dirty')];
    const filler = `${'x'.repeat(99)}\n`.repeat(655);
    writeFileSync(clean, `${filler}${KI.reveal().slice(0, -1)}\n`);
    writeFileSync(dirty, `${filler}${'y'.repeat(20)}${KI.reveal()}\n${Buffer.from('broker/pass').toString('base64')}`);
    const secrets = [
      { name: 'the broker password', secret: new Secret('broker/pass') },
      { name: 'a weak password', secret: new Secret('pw') },
    ];
    try {
      const { results } = await check({ logs: { files: [clean, dirty], secrets } });
      const { findings: inLogs = [], notChecked } = results[8] ?? {};
      expect(inLogs.map(whatOf)).toEqual([
        `${dirty}, line 656: holds a guest's key`,
        `${dirty}, line 657: holds the broker password`,
      ]);
      expect(JSON.stringify(results)).not.toContain(KI.reveal());
      expect(notChecked).toContain('a weak password in logs: too short to look for');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('what is gone in a second reading was under way and is no finding', async () => {
    const { id } = await planted.instance({ task_id: TASK_STATUSES.REBOOTING.code });
    const ending: Clock = {
      ...systemClock,
      sleep: async () => void (await planted.catalog.knex('instances').where({ id }).update({ task_id: 1 })),
    };
    expect((await check({ clock: ending })).findings).toBe(0);
  });
});

function whatOf({ what }: Finding): string {
  return what;
}
