import { healthAnswer } from '@trove/common';
import { Type } from 'typebox';
import type { Route } from '../../api_app.ts';
import { brokenParts } from '../../health.ts';

/** `GET /healthcheck`: 200 `OK`, or 503 with a JSON line per broken part. */
export const healthcheck: Route = (app, { deps }) => {
  const response = { 200: Type.String(), 503: Type.String() };
  app.get('/healthcheck', { config: { anonymous: true }, schema: { response } }, async (_request, reply) => {
    const { status, body } = await healthAnswer(() => brokenParts(deps));
    return await reply
      .code(status)
      .type('text/plain; charset=utf-8')
      .serializer((text: string) => text)
      .send(body);
  });
};
