import { expect, it } from 'vitest';
import { type Boundary, withBoundaries } from './boundaries.ts';

function shop(): { sold: string[]; sell(what: string): Promise<number>; closed: boolean } {
  const sold: string[] = [];
  return {
    sold,
    closed: false,
    async sell(what) {
      return this.sold.push(what);
    },
  };
}

it('a call stops before it begins and after it has succeeded, and is otherwise as it was', async () => {
  const seen: Boundary[] = [];
  const watched = withBoundaries(shop(), (boundary) => void seen.push(boundary));
  expect(await watched.sell('bread')).toBe(1);
  expect(watched).toMatchObject({ closed: false, sold: ['bread'] });
  expect(seen).toEqual([
    { method: 'sell', at: 'before' },
    { method: 'sell', at: 'after' },
  ]);
});

it('what is thrown before a call keeps it from happening; after it, only the answer is lost', async () => {
  for (const at of ['before', 'after'] as const) {
    const inner = shop();
    const watched = withBoundaries(inner, (boundary) => {
      if (boundary.at === at) throw new Error('cut');
    });
    await expect(watched.sell('bread')).rejects.toThrow('cut');
    expect(inner.sold).toEqual(at === 'before' ? [] : ['bread']);
  }
});

it('only the named methods have boundaries', async () => {
  const watched = withBoundaries({ ...shop(), count: () => 7 }, () => {
    throw new Error('cut');
  }, ['sell']);
  expect(watched.count()).toBe(7);
  await expect(watched.sell('bread')).rejects.toThrow('cut');
});
