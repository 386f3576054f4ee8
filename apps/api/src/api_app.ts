import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { Caller } from '@trove/identity';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { ApiWork } from './work/api_work.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; set before any handler of a route that is not anonymous. */
    caller: Caller | null;
  }
  interface FastifyContextConfig {
    /** The route is served without a token. */
    anonymous?: true;
  }
}

/** fastify with schemas as types: a handler's request and answer follow from the route's schemas. */
export type ApiApp = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** One route of the api; each stands in a file of its own. */
export type Route = (app: ApiApp, work: ApiWork) => void;
