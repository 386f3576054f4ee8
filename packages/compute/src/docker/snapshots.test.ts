import { setTimeout } from 'node:timers/promises';
import { newUuid } from '@trove/common';
import { afterAll, expect, test } from 'vitest';
import { dockerWorld, onDockerEngine } from '../../test/docker_world.ts';
import type { Flavor } from '../driver.ts';
import { archiveOf } from './archive.ts';
import { names } from './ids.ts';

const signal = new AbortController().signal;
const FLAVOR: Flavor = { id: '1', name: 'm1.tiny', ram: 512, vcpus: 1, disk: 1, ephemeral: 0 };
const IMAGE_ID = newUuid();
/** In the guest image in place of `sync`: a restore does not go past it until there is a file `go` on the volume. */
const HELD_SYNC = `#!/bin/sh
[ -e /to/incoming ] || exit 0
while [ ! -e /to/data/go ]; do sleep 0.05; done
`;

await onDockerEngine(async (engine) => {
  const world = await dockerWorld({
    sockets: { here: engine.url },
    config: { host: { here: engine.url }, subnet: { here: '10.216.0.0/24' } },
  });
  const docker = world.dockerOf('here');
  const heldImage = await makeHeldImage();
  afterAll(async () => {
    await docker.getImage(heldImage).remove({ force: true });
    await world.dispose();
  }, 120_000);

  async function makeHeldImage(): Promise<string> {
    const given = Object.values(world.config.image)[0]?.split(' ')[2] ?? '';
    const container = await docker.createContainer({ Image: given });
    const sync = { kind: 'file', name: 'sync', owner: { uid: 0, gid: 0 }, mode: 0o755, text: HELD_SYNC } as const;
    await container.putArchive(await archiveOf([sync]), { path: '/bin' });
    const repo = `trove-test-held-${newUuid().slice(0, 8)}`;
    await container.commit({ repo, tag: '1' });
    await container.remove();
    return `${repo}:1`;
  }

  /** A stopped server whose volume says "now", and snapshots of it from when it said other things. */
  async function snapshotted() {
    const compute = await world.open({ image: { [IMAGE_ID]: `mariadb 1.0 ${heldImage}` } });
    const owner = { deploymentId: newUuid(), instanceId: newUuid() };
    const { volumeId } = await compute.createVolume({ ...owner, clientToken: newUuid(), size: 1 }, signal);
    const more = { projectId: 'p', name: 'n', flavor: FLAVOR, imageId: IMAGE_ID, files: {} };
    const server = await compute.createServer({ ...owner, ...more, volumeId, clientToken: newUuid() }, signal);
    await compute.stopServer(server.id, signal);
    const write = (name: string, text: string) => world.inside.write(server, 'volume', name, text);
    const take = async (text: string): Promise<string> => {
      await write('data', text);
      return (await compute.snapshotVolume(volumeId, newUuid(), signal)).snapshotId;
    };
    const [one, two] = [await take('one'), await take('two')];
    await write('data', 'now');
    const restore = (snapshotId: string) => compute.restoreVolume(volumeId, snapshotId, signal);
    const copy = docker.getContainer(names.restore(volumeId));
    /** Gives up on a restore once its copy runs, and leaves that copy behind. */
    const giveUp = async (snapshotId: string): Promise<string> => {
      const patience = new AbortController();
      const given = compute.restoreVolume(volumeId, snapshotId, patience.signal).catch((error: unknown) => error);
      for (;;) {
        const found = await copy.inspect().catch(() => undefined);
        if (found?.State.Running === true) {
          patience.abort(new Error('out of time'));
          expect(await given).toMatchObject({ message: 'out of time' });
          return found.Id;
        }
        await setTimeout(20);
      }
    };
    return {
      ...{ one, two, restore, giveUp },
      go: () => write('go', ''),
      data: () => world.inside.read(server, 'volume', 'data'),
      async dispose(): Promise<void> {
        await expect(copy.inspect(), 'no copy stays behind').rejects.toMatchObject({ statusCode: 404 });
        await compute.deleteServer(server.id, signal);
        for (const id of [one, two]) await compute.deleteSnapshot(id, signal);
        await compute.deleteVolume(volumeId, signal);
      },
    };
  }

  // A copy that is made anew would be held for ever: the file that lets one go is gone with the data that it replaces.
  test('a restore that ran out of time is joined by the next, which does not copy again', async () => {
    const { one, restore, giveUp, go, data, dispose } = await snapshotted();
    const copy = docker.getContainer(await giveUp(one));
    const ended = copy.wait() as Promise<unknown>;
    const joined = restore(one);
    await go();
    await joined;
    expect(await ended).toMatchObject({ StatusCode: 0 });
    expect(await data()).toBe('one');
    await dispose();
  });

  test('a copy that ended with nobody waiting is taken for the restore', async () => {
    const { one, restore, giveUp, go, data, dispose } = await snapshotted();
    const copy = docker.getContainer(await giveUp(one));
    await go();
    expect(await copy.wait()).toMatchObject({ StatusCode: 0 });
    await restore(one);
    expect(await data()).toBe('one');
    await dispose();
  });

  test('a copy that failed is made anew', async () => {
    const { one, restore, giveUp, go, data, dispose } = await snapshotted();
    await docker.getContainer(await giveUp(one)).kill();
    expect(await data()).toBe('now');
    await go();
    await restore(one);
    expect(await data()).toBe('one');
    await dispose();
  });

  test('a copy of another snapshot ends first, and counts for nothing', async () => {
    const { one, two, restore, giveUp, go, data, dispose } = await snapshotted();
    const copy = docker.getContainer(await giveUp(one));
    const ended = copy.wait() as Promise<unknown>;
    const second = restore(two);
    await go();
    expect(await ended).toMatchObject({ StatusCode: 0 });
    await go();
    await second;
    expect(await data()).toBe('two');
    await dispose();
  });
});
