import { markResource } from '@trove/catalog';
import { TroveError } from '@trove/common';
import type { ComputeDriver, Server } from '@trove/compute';
import type { StepContext } from '@trove/tasks';
import type { TaskTools } from './tools.ts';

/** Of several servers that one token made, which stays: the oldest id, so that every worker decides alike. */
export function chooseServer(servers: readonly Server[]): { keep: Server | undefined; extras: readonly Server[] } {
  const [keep, ...extras] = servers.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  return { keep, extras };
}

/** The server that this token made, looked for in the world; what else it made is deleted. */
export async function adoptServer(
  compute: ComputeDriver,
  clientToken: string,
  signal: AbortSignal,
): Promise<Server | undefined> {
  const { keep, extras } = chooseServer(await compute.findServers(clientToken));
  for (const extra of extras) await compute.deleteServer(extra.id, signal);
  return keep;
}

/** Removes whatever this token made, and says so in the catalog. */
export async function removeServersOf(
  { compute }: TaskTools,
  context: StepContext,
  clientToken: string,
): Promise<void> {
  for (const server of await compute.findServers(clientToken)) await compute.deleteServer(server.id, context.signal);
  const left = await compute.findServers(clientToken);
  if (left.length > 0) throw new TroveError('COMPUTE_ERROR', 'The server is not gone yet.', { retryable: true });
  await context.fenced((tx) => markResource(tx, { token: clientToken, state: 'gone' }));
}

export type ServerVerdict = 'ready' | 'wait' | 'failed';

/** What a server's status means to a task that waits for it. */
export function judgeServer(server: Server | undefined): ServerVerdict {
  if (server === undefined || server.status === 'ERROR') return 'failed';
  return server.status === 'ACTIVE' ? 'ready' : 'wait';
}
