import { testCatalog } from '@trove/catalog/testing';
import { newUuid } from '@trove/common';
import { expect, it } from 'vitest';
import { settleAccounts } from './accounts.ts';
import type { Entry } from './load.ts';

const TAKEN_BACK = { from: 1000, to: 2000 };

function deleteOf(changes: Partial<Entry>): Entry {
  const times = { sent: 1, askedAt: 1500, answeredAt: 1600 };
  return { kind: 'delete', key: newUuid(), status: 202, instanceId: newUuid(), what: undefined, ...times, ...changes };
}

it('counts as taken back only what was acknowledged in that time and is gone; all else that is gone is lost', async () => {
  const catalog = await testCatalog('sqlite');
  try {
    const entries = [
      deleteOf({}),
      deleteOf({ askedAt: 900, answeredAt: 1001 }),
      deleteOf({ askedAt: 800, answeredAt: 999 }),
      deleteOf({ askedAt: 2001, answeredAt: 2100 }),
      deleteOf({ status: 422 }),
      deleteOf({ status: undefined, answeredAt: undefined }),
    ];
    const content = new Map<string, readonly string[]>();
    const [within] = await settleAccounts(catalog, entries, { content, takenBack: [TAKEN_BACK] });
    expect(within).toMatchObject({ attempted: 6, acknowledged: 4, refused: 1, takenBack: 2 });
    const keys = [entries[2], entries[3]].map((entry) => expect.stringContaining(entry?.key ?? ''));
    expect(within?.lost).toEqual(keys);
    const [without] = await settleAccounts(catalog, entries, { content, takenBack: [] });
    expect([without?.takenBack, without?.lost.length]).toEqual([0, 4]);
  } finally {
    await catalog.dispose();
  }
});
