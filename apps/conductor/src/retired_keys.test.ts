import { toBigint } from '@trove/catalog';
import { type TestCatalog, testCatalog } from '@trove/catalog/testing';
import { newUuid, silentLogger } from '@trove/common';
import type { ConductorHandlers } from '@trove/crypto-rpc';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { age, OTHER_NONCE, reportOf, sealedInstance, sealedReport, statusOf, wasTouched } from '../test/house.ts';
import { conductorHandlers } from './handlers.ts';

const healthy = { service_status: 'healthy' };

describe.each(['mysql', 'sqlite'] as const)(
  'what opened under a key that has been replaced meanwhile, on %s',
  (dialect) => {
    let catalog: TestCatalog;
    let take: ConductorHandlers['heartbeats'];

    beforeAll(async () => {
      catalog = await testCatalog(dialect);
      take = conductorHandlers({ catalog, logger: silentLogger }).heartbeats;
    });
    afterAll(() => catalog.dispose());

    /** As a rotation that has ended: version 2 is the instance's key, version 1 is worth nothing. */
    async function replaceKey(id: string): Promise<void> {
      const key = { sealed_key: 'x', uplink: 'x', kcv: '0'.repeat(12), policy: 2 };
      await catalog.knex('instance_keys').where({ instance_id: id }).update({ state: 'retired' });
      await catalog.knex('instance_keys').insert({ instance_id: id, version: 2, state: 'active', ...key });
    }

    test('a heartbeat changes nothing', async () => {
      const id = await sealedInstance(catalog);
      await replaceKey(id);
      await age(catalog, id);
      await catalog.knex('instance_reports').where({ instance_id: id }).update({ hello_wanted: null });
      await take([
        sealedReport(id, 11n, { service_status: 'crashed' }),
        sealedReport(id, 99n, healthy, { nonce: OTHER_NONCE }),
      ]);
      const report = await reportOf(catalog, id);
      expect([await statusOf(catalog, id), await wasTouched(catalog, id)]).toEqual(['new', false]);
      expect([toBigint(report?.sequence ?? 0), toBigint(report?.hello_wanted ?? 0) > 0n]).toEqual([10n, false]);
      await take([sealedReport(id, 11n, healthy, { keyVersion: 2 })]);
      expect([await statusOf(catalog, id), await wasTouched(catalog, id)]).toEqual(['healthy', true]);
    });

    test('it gives nothing to the newer ones of its batch, whatever its sequence', async () => {
      const id = await sealedInstance(catalog);
      await replaceKey(id);
      await take([
        sealedReport(id, 11n, { service_status: 'crashed', volume_used: 7 }),
        sealedReport(id, 12n, {}, { keyVersion: 2 }),
        sealedReport(id, 2n ** 40n, { service_status: 'crashed' }),
      ]);
      const report = await reportOf(catalog, id);
      expect([await statusOf(catalog, id), toBigint(report?.sequence ?? 0), report?.volume_used]).toEqual([
        'new',
        12n,
        null,
      ]);
    });

    test('an event changes nothing', async () => {
      const id = await sealedInstance(catalog);
      const told: unknown[] = [];
      const logger = { ...silentLogger, warn: (message: string) => void told.push(message) };
      const { event } = conductorHandlers({ catalog, logger });
      const { bootNonce, sequence } = sealedReport(id, 11n, healthy);
      const report = { instanceId: id, method: 'report_root', args: { instance_id: id }, legacy: false } as const;
      const facts = { bootNonce, sequence, expiresMs: Date.now() + 1000 };
      await replaceKey(id);
      await event({ ...report, ...facts, messageId: newUuid(), keyVersion: 1 });
      expect(told).toEqual([]);
      await event({ ...report, ...facts, messageId: newUuid(), keyVersion: 2 });
      expect(told).toHaveLength(1);
    });
  },
);
