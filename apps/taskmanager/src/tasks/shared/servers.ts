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

/** What a token was to make. A server is where its volume is, so with `volumeId` one silent host elsewhere is no matter. */
export interface MadeServer {
  readonly token: string;
  readonly volumeId: string | undefined;
}

/** The server that this token made, looked for in the world; what else it made is deleted. */
export async function adoptServer(
  compute: ComputeDriver,
  { token, volumeId }: MadeServer,
  signal: AbortSignal,
): Promise<Server | undefined> {
  const { keep, extras } = chooseServer(await compute.findServers(token, volumeId));
  for (const extra of extras) await compute.deleteServer(extra.id, signal);
  return keep;
}

/** Removes whatever this token made, and says so in the catalog. */
export async function removeServersOf(
  { compute }: TaskTools,
  context: StepContext,
  { token, volumeId }: MadeServer,
): Promise<void> {
  for (const server of await compute.findServers(token, volumeId))
    await compute.deleteServer(server.id, context.signal);
  const left = await compute.findServers(token, volumeId);
  if (left.length > 0) throw new TroveError('COMPUTE_ERROR', 'The server is not gone yet.', { retryable: true });
  await context.fenced((tx) => markResource(tx, { token, state: 'gone' }));
}

export type ServerVerdict = 'ready' | 'wait' | 'failed';

/** What a server's status means to a task that waits for it. */
export function judgeServer(server: Server | undefined): ServerVerdict {
  if (server === undefined || server.status === 'ERROR') return 'failed';
  return server.status === 'ACTIVE' ? 'ready' : 'wait';
}
