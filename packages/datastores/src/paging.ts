import type { Page, PageRequest } from './driver.ts';

/** How many rows to read for a page: one more than it shows, to learn whether there is a next one. */
export function rowsToRead(page: PageRequest): number | null {
  return page.limit === null ? null : page.limit + 1;
}

/** A page of rows that were read by `rowsToRead`, in order; the marker is the last item's name, as in Trove. */
export function toPage<T>(rows: readonly T[], page: PageRequest, nameOf: (item: T) => string): Page<T> {
  if (page.limit === null || rows.length <= page.limit) return { items: rows, nextMarker: null };
  const items = rows.slice(0, page.limit);
  const last = items.at(-1);
  return { items, nextMarker: last === undefined ? null : nameOf(last) };
}
