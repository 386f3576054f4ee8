import { existsSync } from 'node:fs';
import type { OwnedThing } from '../driver.ts';
import { possibleRoots } from './housing.ts';
import { readJson } from './json_file.ts';
import { Layout } from './layout.ts';
import { readRecord } from './server_record.ts';
import type { SnapshotRecord, VolumeRecord } from './storage.ts';

/** Everything that lies under this root, or of one instance there, and carries the id of some deployment. */
export function ownedThings(layout: Layout, only?: string): readonly OwnedThing[] {
  return layout
    .instanceIds()
    .filter((instanceId) => instanceId === (only ?? instanceId))
    .flatMap((instanceId) => [
      ...serverOf(layout, instanceId),
      ...layout.recordedIds(instanceId, 'volumes').flatMap((id) => volumeOf(layout, instanceId, id)),
      ...layout.recordedIds(instanceId, 'snapshots').flatMap((id) => snapshotOf(layout, instanceId, id)),
    ]);
}

/**
 * The same for a program that opens no driver: it reads, and neither makes nor locks anything. Undefined where no folder of
 * this root is on this machine.
 * @param root `[compute_local] root`, as the operator wrote it
 */
export function localThings({ root }: { readonly root: string }): readonly OwnedThing[] | undefined {
  const roots = possibleRoots(root).filter((folder) => existsSync(folder));
  return roots.length === 0 ? undefined : roots.flatMap((folder) => ownedThings(new Layout(folder)));
}

function serverOf(layout: Layout, instanceId: string): OwnedThing[] {
  const record = readRecord(layout, instanceId);
  return record === undefined ? [] : [{ ...thing('server', instanceId, record), flavorId: record.flavor.id }];
}

function volumeOf(layout: Layout, instanceId: string, id: string): OwnedThing[] {
  const record = readJson<VolumeRecord>(`${layout.volumeDir(instanceId, id)}.json`);
  return record === undefined ? [] : [{ ...thing('volume', instanceId, record), size: record.size }];
}

/** Without a deployment's id of its own it has its volume's; without either it is nobody's to touch. */
function snapshotOf(layout: Layout, instanceId: string, id: string): OwnedThing[] {
  const record = readJson<SnapshotRecord>(`${layout.snapshotDir(instanceId, id)}.json`);
  if (record === undefined) return [];
  const volume = readJson<VolumeRecord>(`${layout.volumeDir(instanceId, record.volume_id)}.json`);
  const deployment_id = record.deployment_id ?? volume?.deployment_id;
  return deployment_id === undefined ? [] : [thing('snapshot', instanceId, { ...record, deployment_id })];
}

function thing(
  kind: OwnedThing['kind'],
  instanceId: string,
  record: { readonly id: string; readonly client_token: string; readonly deployment_id: string },
): OwnedThing {
  return { kind, id: record.id, clientToken: record.client_token, deploymentId: record.deployment_id, instanceId };
}
