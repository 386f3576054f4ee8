import { VersionListBody } from '@trove/contracts';
import type { Route } from '../../api_app.ts';
import { hostOf } from '../../links.ts';
import { answers } from '../answers.ts';

/** `GET /` */
export const listVersions: Route = (app, { deps }) => {
  app.get(
    '/',
    { config: { anonymous: true }, schema: { response: answers(200, VersionListBody) } },
    async (request) => {
      const base = (deps.settings.publicEndpoint ?? `http://${hostOf(request)}`).replace(/\/+$/, '');
      return {
        versions: [
          {
            id: 'v1.0',
            status: 'CURRENT',
            updated: '2012-08-01T00:00:00Z',
            links: [{ rel: 'self', href: `${base}/v1.0/` }],
          },
        ],
      };
    },
  );
};
