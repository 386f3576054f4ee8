import { TroveError } from '@trove/common';
import type { FastifyRequest } from 'fastify';
import { hostOf, type Link } from './links.ts';

/** The query's limit, cut to the page size. Throws `BAD_REQUEST` where it is no whole number. */
export function pageLimit(text: string | undefined, pageSize: number): number {
  if (text === undefined || text === '') return pageSize;
  if (!/^\d{1,9}$/.test(text))
    throw new TroveError('BAD_REQUEST', 'The value of limit must be a whole number of at least 0.');
  const limit = Number(text);
  return limit === 0 ? pageSize : Math.min(limit, pageSize);
}

/** The link to the page after `marker`; the query's other parameters stay. */
export function nextLink(request: FastifyRequest, limit: number, marker: string): Link[] {
  const [path = '', search = ''] = request.url.split('?', 2);
  const parameters = new URLSearchParams(search);
  parameters.set('limit', String(limit));
  parameters.set('marker', marker);
  return [{ rel: 'next', href: `https://${hostOf(request)}${path}?${parameters.toString()}` }];
}
