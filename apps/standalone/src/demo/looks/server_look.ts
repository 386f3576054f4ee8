import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerFacts } from '../outside.ts';

const MARKER = 'left-by-the-operator';

/** What local compute wrote beside a server; only what is looked at here. */
interface ServerFile {
  readonly id: string;
  readonly volume_id: string;
  readonly address: string;
  readonly port: number;
}

/** Looks at a server's folder under `[compute_local] root`. */
export function lookAtServer(root: string, instanceId: string): ServerFacts {
  const { folder, record, rootMarker, volumeMarker } = places(root, instanceId);
  return {
    serverId: record.id,
    volumeId: record.volume_id,
    address: record.address,
    port: record.port,
    guestInfo: readFileSync(join(folder, 'files', 'etc', 'trove', 'conf.d', 'guest_info.conf'), 'utf8'),
    rootMarker: existsSync(rootMarker),
    volumeMarker: existsSync(volumeMarker),
  };
}

/** A file that a rebuild must throw away, and one that it must keep. */
export function leaveMarkers(root: string, instanceId: string): void {
  const { rootMarker, volumeMarker } = places(root, instanceId);
  writeFileSync(rootMarker, 'outside the volume\n');
  writeFileSync(volumeMarker, 'inside the volume\n');
}

function places(root: string, instanceId: string) {
  const folder = join(root, instanceId);
  const record = JSON.parse(readFileSync(join(folder, 'record.json'), 'utf8')) as ServerFile;
  return {
    folder,
    record,
    rootMarker: join(folder, 'root', MARKER),
    volumeMarker: join(folder, 'volumes', record.volume_id, MARKER),
  };
}
