// Stands in for the package in services and agents: a database that is a file, so that fifty of them and their agents are
// no load, and whose every change is counted. It lives on when its agent is killed, as a real one does.
import { type DatastoreDriver, type FoundInstallation, mayUpgrade } from '@trove/datastores';
import { LightDatastore } from './light_datastore.ts';

/** Two, so that there is something to upgrade to. */
const LIGHT_VERSIONS = ['18.4', '18.5'] as const;
const PORT = 5432;

const INSTALLATIONS: readonly FoundInstallation[] = LIGHT_VERSIONS.map((version) => ({
  manager: 'postgresql',
  version,
  binDir: '/nonexistent',
  port: PORT,
}));

const driver: DatastoreDriver = {
  managers: ['postgresql'],
  standardPort: PORT,
  mayUpgrade,
  findInstallations: async () => INSTALLATIONS,
  inspectFolder: async () => undefined,
  open: (place) => new LightDatastore(place),
};

export { mayUpgrade };

export function datastoreDriverFor(): DatastoreDriver {
  return driver;
}

export async function findInstallations(): Promise<readonly FoundInstallation[]> {
  return INSTALLATIONS;
}

export async function inspectFolder(): Promise<undefined> {
  return undefined;
}
