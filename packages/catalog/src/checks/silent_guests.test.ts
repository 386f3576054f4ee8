import { systemClock } from '@trove/common';
import { expect, it } from 'vitest';
import { Planted } from '../../test/planted.ts';
import { readInSnapshot } from './facts.ts';
import { keysNotCompared, readSilentGuests } from './silent_guests.ts';

const MINUTE_MICROS = 60_000_000;

it.each(['mysql', 'sqlite'] as const)(
  'says of which guests the key could not be compared, those of which nothing was heard for long, on %s',
  { timeout: 120_000 },
  async (dialect) => {
    const planted = await Planted.open(dialect);
    const { catalog } = planted;
    try {
      const guests = { heard: 1, silent: 60, stopped: 60, clear: 60 };
      const ids: Record<string, string> = {};
      for (const [name, minutes] of Object.entries(guests)) {
        const { id } = await planted.instance();
        ids[name] = id;
        await catalog
          .knex('instances')
          .where({ id })
          .update({ rpc_policy: name === 'clear' ? 0 : 2, server_status: name === 'stopped' ? 'SHUTDOWN' : 'ACTIVE' });
        const received_at = systemClock.now() * 1000 - minutes * MINUTE_MICROS;
        await catalog.knex('instance_reports').insert({ instance_id: id, received_at });
      }
      const silent = await readInSnapshot(catalog, readSilentGuests);
      expect(silent).toEqual([ids['silent']]);
      expect(keysNotCompared(silent)).toEqual([expect.stringContaining(ids['silent'] ?? '')]);
      expect(keysNotCompared([])).toEqual([]);
    } finally {
      await planted.catalog.dispose();
    }
  },
);
