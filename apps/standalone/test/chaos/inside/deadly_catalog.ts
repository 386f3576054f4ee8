// Stands in for the package in services: what they commit holds, and some do not live to hear it.
import { withTransaction as transact } from '@trove/catalog';
import { ownPart } from './own_part.ts';
import { readTroubles } from './run_folder.ts';

export * from '@trove/catalog';

const { folder, name, random: randomOf } = ownPart();
const random = randomOf('commits');

export const withTransaction: typeof transact = async (catalog, work) => {
  const result = await transact(catalog, work);
  const { api, taskmanager } = readTroubles(folder).diesAfterCommit;
  const share = name.startsWith('api') ? api : name.startsWith('taskmanager') ? taskmanager : 0;
  if (share > 0 && random() < share) process.kill(process.pid, 'SIGKILL');
  return result;
};
