import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isUuid, TroveError } from '@trove/common';

/**
 * Where things lie: `<root>/<instance id>/` with `record.json` (the driver's own), `files/` (injected), `root/` (thrown
 * away by a rebuild), `volumes/<id>/` and `snapshots/<id>/` (kept); beside the instances `addresses/`, `locks/` and
 * `flavors.json`. It is the only truth: what is looked up is looked up here.
 */
export class Layout {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  get addressesDir(): string {
    return join(this.root, 'addresses');
  }

  get locksDir(): string {
    return join(this.root, 'locks');
  }

  instanceDir(instanceId: string): string {
    if (!isUuid(instanceId)) throw new TroveError('COMPUTE_ERROR', 'The instance id is not a UUID.');
    return join(this.root, instanceId);
  }

  recordFile(instanceId: string): string {
    return join(this.instanceDir(instanceId), 'record.json');
  }

  filesDir(instanceId: string): string {
    return join(this.instanceDir(instanceId), 'files');
  }

  rootDir(instanceId: string): string {
    return join(this.instanceDir(instanceId), 'root');
  }

  /** A volume's folder; its record stands beside it with `.json` at its end, so that the guest cannot write it. */
  volumeDir(instanceId: string, volumeId: string): string {
    return join(this.instanceDir(instanceId), 'volumes', volumeId);
  }

  snapshotDir(instanceId: string, snapshotId: string): string {
    return join(this.instanceDir(instanceId), 'snapshots', snapshotId);
  }

  /** pid and start time of the server's agent. */
  agentFile(instanceId: string): string {
    return join(this.instanceDir(instanceId), 'agent.process');
  }

  agentLog(instanceId: string): string {
    return join(this.instanceDir(instanceId), 'agent.log');
  }

  /** Ids of the volumes or snapshots of an instance that have a record, and so are whole. */
  recordedIds(instanceId: string, kind: 'volumes' | 'snapshots'): readonly string[] {
    const folder = join(this.instanceDir(instanceId), kind);
    if (!existsSync(folder)) return [];
    const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
    return names.map((name) => name.slice(0, -'.json'.length));
  }

  /** Every instance that has a folder here. */
  instanceIds(): readonly string[] {
    try {
      return readdirSync(this.root).filter(isUuid);
    } catch {
      return [];
    }
  }
}
