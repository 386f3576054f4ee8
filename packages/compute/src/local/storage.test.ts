import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { newUuid } from '@trove/common';
import { afterAll, expect, test } from 'vitest';
import { Layout } from './layout.ts';
import { Storage } from './storage.ts';

const root = mkdtempSync(join(tmpdir(), 'storage-'));
const layout = new Layout(root);
const storage = new Storage(layout, undefined);
const signal = new AbortController().signal;
afterAll(() => rmSync(root, { recursive: true }));

function newVolume(): { instanceId: string; volumeId: string; folder: string } {
  const instanceId = newUuid();
  const request = { clientToken: newUuid(), deploymentId: newUuid(), instanceId, size: 1 };
  const { volumeId } = storage.createVolume(request);
  const folder = layout.volumeDir(instanceId, volumeId);
  mkdirSync(join(folder, 'database'));
  writeFileSync(join(folder, 'database/rows'), 'before');
  return { instanceId, volumeId, folder };
}

const swapAtOnce = async (_instanceId: string, swap: () => void): Promise<void> => swap();

test('half a copy of a killed try is no snapshot, is not taken for one, and goes with the next try', async () => {
  const { instanceId, volumeId } = newVolume();
  const { snapshotId } = await storage.snapshotVolume(volumeId, 'first', signal);
  storage.deleteSnapshot(snapshotId);
  const place = layout.snapshotDir(instanceId, snapshotId);
  mkdirSync(`${place}.deadbeef.partial/database`, { recursive: true });
  expect(storage.findSnapshot('first')).toBeUndefined();
  expect(await storage.snapshotVolume(volumeId, 'first', signal)).toEqual({ snapshotId });
  expect(readFileSync(join(place, 'database/rows'), 'utf8')).toBe('before');
  expect(readdirSync(join(place, '..')).toSorted()).toEqual([snapshotId, `${snapshotId}.json`]);
});

test('half a copy goes with its volume; a snapshot stays', async () => {
  const { instanceId, volumeId } = newVolume();
  const { snapshotId } = await storage.snapshotVolume(volumeId, newUuid(), signal);
  mkdirSync(`${layout.snapshotDir(instanceId, newUuid())}.deadbeef.partial/database`, { recursive: true });
  mkdirSync(layout.snapshotDir(instanceId, newUuid()));
  await storage.deleteVolume(volumeId);
  const left = readdirSync(layout.instanceDir(instanceId), { recursive: true }).map(String);
  expect(left.toSorted()).toEqual([
    'snapshots',
    `snapshots/${snapshotId}`,
    `snapshots/${snapshotId}.json`,
    `snapshots/${snapshotId}/database`,
    `snapshots/${snapshotId}/database/rows`,
  ]);
  storage.deleteSnapshot(snapshotId);
  expect(existsSync(layout.instanceDir(instanceId))).toBe(false);
});

test('a snapshot that stands is not replaced by that of a slower try, whose volume is in use again', async () => {
  const { instanceId, volumeId, folder } = newVolume();
  const { snapshotId } = await storage.snapshotVolume(volumeId, 'same', signal);
  const place = layout.snapshotDir(instanceId, snapshotId);
  renameSync(`${place}.json`, `${place}.later`);
  writeFileSync(join(folder, 'database/rows'), 'in use again');
  const slow = storage.snapshotVolume(volumeId, 'same', signal);
  renameSync(`${place}.later`, `${place}.json`);
  expect(await slow).toEqual({ snapshotId });
  expect(readFileSync(join(place, 'database/rows'), 'utf8')).toBe('before');
  expect(readdirSync(join(place, '..'))).toHaveLength(2);
});

test('a restore that nobody may swap in leaves the volume and nothing beside it', async () => {
  const { volumeId, folder } = newVolume();
  const { snapshotId } = await storage.snapshotVolume(volumeId, newUuid(), signal);
  writeFileSync(join(folder, 'database/rows'), 'after');
  const refused = storage.restoreVolume(volumeId, snapshotId, signal, () => Promise.reject(new Error('in use')));
  await expect(refused).rejects.toThrow('in use');
  expect(readFileSync(join(folder, 'database/rows'), 'utf8')).toBe('after');
  expect(readdirSync(join(folder, '..'))).toHaveLength(2);
  await storage.restoreVolume(volumeId, snapshotId, signal, swapAtOnce);
  expect(readFileSync(join(folder, 'database/rows'), 'utf8')).toBe('before');
  expect(readdirSync(join(folder, '..'))).toHaveLength(2);
});

test('an aborted copy leaves nothing', async () => {
  const { instanceId, volumeId } = newVolume();
  const given = storage.snapshotVolume(volumeId, 'aborted', AbortSignal.abort(new Error('lease lost')));
  await expect(given).rejects.toThrow('lease lost');
  expect(storage.findSnapshot('aborted')).toBeUndefined();
  expect(readdirSync(join(layout.instanceDir(instanceId), 'snapshots'))).toEqual([]);
  expect(existsSync(layout.volumeDir(instanceId, volumeId))).toBe(true);
});

/** The copy beside this place, by its inode: another one has another. */
async function copyUnderWay(place: string): Promise<number> {
  const partial = (): string | undefined =>
    readdirSync(dirname(place)).find((name) => name.startsWith(basename(place)) && name.endsWith('.partial'));
  await expect.poll(partial, { interval: 1 }).toBeDefined();
  return statSync(join(dirname(place), partial() ?? '')).ino;
}

test('a copy that outlasts its try goes on, and the next try takes it: of a snapshot, and of a restore', async () => {
  const { instanceId, volumeId, folder } = newVolume();
  const impatient = new AbortController();
  const given = storage.snapshotVolume(volumeId, 'slow', impatient.signal);
  // Nobody takes the copy, whole or not, until the next try.
  impatient.abort(new Error('too slow'));
  await expect(given).rejects.toThrow('too slow');
  const snapshots = join(layout.instanceDir(instanceId), 'snapshots');
  await expect.poll(() => readdirSync(snapshots).length, { interval: 1 }).toBe(1);
  const place = join(snapshots, (readdirSync(snapshots)[0] ?? '').slice(0, 36));
  const copy = await copyUnderWay(place);
  const { snapshotId } = await storage.snapshotVolume(volumeId, 'slow', signal);
  expect([snapshotId, statSync(place).ino]).toEqual([basename(place), copy]);
  writeFileSync(join(folder, 'database/rows'), 'after');
  const again = new AbortController();
  const refused = storage.restoreVolume(volumeId, snapshotId, again.signal, swapAtOnce);
  again.abort(new Error('too slow'));
  await expect(refused).rejects.toThrow('too slow');
  const incoming = await copyUnderWay(folder);
  await storage.restoreVolume(volumeId, snapshotId, signal, swapAtOnce);
  expect([statSync(folder).ino, readFileSync(join(folder, 'database/rows'), 'utf8')]).toEqual([incoming, 'before']);
});

test('a snapshot that is not whole when its volume is used again is given up; what another process is at stays', async () => {
  const { instanceId, volumeId, folder } = newVolume();
  const impatient = new AbortController();
  const given = storage.snapshotVolume(volumeId, 'given up', impatient.signal);
  impatient.abort(new Error('too slow'));
  await expect(given).rejects.toThrow('too slow');
  await storage.endSnapshots(instanceId);
  const snapshots = join(layout.instanceDir(instanceId), 'snapshots');
  expect(readdirSync(snapshots)).toEqual([]);
  writeFileSync(join(folder, 'database/rows'), 'used again');
  const other = `${process.ppid.toString(16).padStart(8, '0')}.partial`;
  const { snapshotId } = await storage.snapshotVolume(volumeId, 'another', signal);
  storage.deleteSnapshot(snapshotId);
  mkdirSync(join(snapshots, `${snapshotId}.${other}`), { recursive: true });
  await storage.snapshotVolume(volumeId, 'another', signal);
  expect(readFileSync(join(snapshots, snapshotId, 'database/rows'), 'utf8')).toBe('used again');
  expect(readdirSync(snapshots)).toContain(`${snapshotId}.${other}`);
});
