import swagger from '@fastify/swagger';
import { Type } from 'typebox';
import type { ApiApp } from '../api_app.ts';

/** `/openapi.json`, from the schemas that validate and serialise. Registered before the routes, which it collects. */
export async function addOpenapi(app: ApiApp): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Database service',
        description: 'Databases as a service, with the REST API of OpenStack Trove.',
        version: 'v1.0',
      },
      components: { securitySchemes: { token: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' } } },
      security: [{ token: [] }],
    },
  });
  let document: string | undefined;
  app.get(
    '/openapi.json',
    { config: { anonymous: true }, schema: { hide: true, response: { 200: Type.Any() } } },
    async (_request, reply) => {
      document ??= JSON.stringify(app.swagger());
      return reply
        .type('application/json')
        .serializer((text: string) => text)
        .send(document);
    },
  );
}
