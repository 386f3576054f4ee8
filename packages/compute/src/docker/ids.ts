import { sha256, uuidV5 } from '@trove/common';

const NAMESPACES = {
  server: '3f1d2c9a-7b46-5e0d-8a11-52c0f3a9d701',
  volume: '3f1d2c9a-7b46-5e0d-8a11-52c0f3a9d702',
  snapshot: '3f1d2c9a-7b46-5e0d-8a11-52c0f3a9d703',
} as const;

/** The digits that the ids of everything on a host begin with: who holds an id knows whom to ask. */
export function hostDigits(host: string): string {
  return short(host);
}

/** The id of what a token makes on a host: shaped like a UUID, and always the same. */
export function idOn(host: string, kind: keyof typeof NAMESPACES, token: string): string {
  return hostDigits(host) + uuidV5(NAMESPACES[kind], token).slice(8);
}

export function isOn(host: string, id: string): boolean {
  return id.startsWith(`${hostDigits(host)}-`);
}

/** Eight digits that tell one text from another where both stand behind the same id. */
export function short(text: string): string {
  return sha256(text).toString('hex').slice(0, 8);
}

export const names = {
  /** Of the container that a server is in: another one after each rebuild and each resize. */
  server: (serverId: string, generation: string, flavorId: string): string =>
    `trove-${serverId}-${short(`${generation} ${flavorId}`)}`,
  root: (serverId: string, generation: string): string => `trove-root-${serverId}-${short(generation)}`,
  volume: (volumeId: string): string => `trove-volume-${volumeId}`,
  /** Of the empty volume that says how large a volume has grown. */
  size: (volumeId: string, size: number): string => `trove-size-${volumeId}-${size}`,
  snapshot: (snapshotId: string): string => `trove-snapshot-${snapshotId}`,
  /** Of the container that says that a snapshot is whole. */
  whole: (snapshotId: string): string => `trove-whole-${snapshotId}`,
  /** Of the container that copies: one per snapshot, and one per volume that is put back. */
  copy: (snapshotId: string): string => `trove-copy-${snapshotId}`,
  restore: (volumeId: string): string => `trove-restore-${volumeId}`,
} as const;
