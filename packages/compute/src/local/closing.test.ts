import { afterAll, expect, test } from 'vitest';
import { agentsOn, localWorld } from '../../test/local_world.ts';

const world = localWorld('127.66.1.0/24');
const { open, newServer } = world;
afterAll(() => world.dispose());

test('closing with its servers stops also the one that is just being made, and begins no other', async () => {
  const [reached, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const compute = open('closing', {
    runner: {
      async start(launch) {
        reached.resolve();
        await goOn.promise;
        return await world.runner.start(launch);
      },
      adopt: (launch, identity) => world.runner.adopt(launch, identity),
    },
  });
  const made = newServer(compute);
  await reached.promise;
  const closed = compute.close({ stopServers: true });
  await expect(newServer(compute)).rejects.toMatchObject({ code: 'COMPUTE_ERROR', retryable: true });
  goOn.resolve();
  const { create, server } = await made;
  await closed;
  expect(agentsOn(create)).toEqual([]);
  expect((await open('closing').getServer(server.id))?.status, 'it is whole, and starts again with its host').toBe(
    'SHUTDOWN',
  );
  await open('closing').adoptAll();
  expect((await open('closing').getServer(server.id))?.status).toBe('ACTIVE');
});
