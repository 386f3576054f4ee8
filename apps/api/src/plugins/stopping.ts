import type { ApiApp } from '../api_app.ts';
import { EdgeRefusal } from '../errors.ts';

/** From `begin` on every answer ends its connection, and requests that come on one that stood are refused with 503. */
export function addStopping(app: ApiApp): { begin(): void } {
  let isStopping = false;
  app.addHook('onRequest', async () => {
    if (isStopping) throw new EdgeRefusal(503, 'This server is being stopped.');
  });
  app.addHook('onSend', async (_request, reply) => {
    // Otherwise the client keeps the connection, and the server waits for it to be closed.
    if (isStopping) reply.header('connection', 'close');
  });
  return {
    begin: () => {
      isStopping = true;
    },
  };
}
