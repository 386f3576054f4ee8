import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TroveError } from '@trove/common';
import type { DatastorePlace, Installation } from '@trove/datastores';

/** What a server knows of itself, as local compute writes it to `/etc/trove/server.json`. */
export interface ServerFacts {
  readonly address: string;
  readonly port: number;
  readonly volume_dir: string;
  /** GB; null where there is no volume. Read anew each time: a volume grows under a running server. */
  volumeSize(): number | null;
  readonly root_dir: string;
  readonly bin_dir: string;
  readonly manager: Installation['manager'];
  readonly version: string;
  /** The database's account while the agent is root; null: the agent's own. */
  readonly account: { readonly uid: number; readonly gid: number } | null;
}

type WrittenFacts = Omit<ServerFacts, 'volumeSize'> & { readonly volume_size?: number | null };

/** The facts in a file. `CONFIG_INVALID` where it cannot be read or lacks one. */
export function readServerFacts(file: string): ServerFacts {
  const facts = readWrittenFacts(file);
  const texts = ['address', 'volume_dir', 'root_dir', 'bin_dir', 'manager', 'version'] as const;
  const missing = [
    ...texts.filter((name) => typeof facts[name] !== 'string'),
    ...(Number.isInteger(facts.port) ? [] : ['port']),
  ];
  if (missing.length > 0) throw new TroveError('CONFIG_INVALID', `${file}: ${missing.join(', ')} missing`);
  const volumeSize = (): number | null => readWrittenFacts(file).volume_size ?? null;
  return { account: null, ...facts, volumeSize } as ServerFacts;
}

function readWrittenFacts(file: string): Partial<WrittenFacts> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Partial<WrittenFacts>;
  } catch (error) {
    throw new TroveError('CONFIG_INVALID', `${file}: cannot be read as JSON`, { cause: error });
  }
}

/** Where the database lives: its data on the volume, its socket and log on the root. */
export function datastorePlace(facts: ServerFacts): DatastorePlace {
  return {
    installation: { manager: facts.manager, version: facts.version, binDir: facts.bin_dir },
    dataDir: join(facts.volume_dir, 'database'),
    runDir: join(facts.root_dir, 'run'),
    address: facts.address,
    port: facts.port,
    ...(facts.account === null ? {} : { account: facts.account }),
  };
}
